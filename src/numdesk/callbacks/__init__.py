"""The door for HTTP from providers: the provider verifies and parses, then a use case runs."""
