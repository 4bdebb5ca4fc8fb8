"""Messages with the service that each is of, or "-" where that cannot be told: `expected | sender |
text`."""
