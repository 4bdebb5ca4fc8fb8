"""The door for HTTP from providers: the provider verifies and parses, then one use case runs per
event.
"""
