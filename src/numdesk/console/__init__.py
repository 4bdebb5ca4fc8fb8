"""The door for staff: forms, pages and htmx fragments over use cases; no SQL, no rules."""
