"""Everything about PostgreSQL itself: the server, its pool, its migrations and its faults; no table of a product."""
