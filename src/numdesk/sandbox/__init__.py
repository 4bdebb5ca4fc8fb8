"""The sandbox API and its seed data, in sandbox mode only; calls use cases, has no rules."""
