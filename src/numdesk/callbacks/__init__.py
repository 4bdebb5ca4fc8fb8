"""The door for HTTP from providers: verify and parse through the provider, then one use case per event."""
