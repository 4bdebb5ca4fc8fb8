"""The sandbox API and its seed data: mounted in sandbox mode only, calls use cases, holds no
rules.
"""
