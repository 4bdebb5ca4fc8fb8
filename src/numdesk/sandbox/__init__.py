"""The sandbox API and its seeded data: a door mounted in sandbox mode only; calls use cases, holds no rules."""
