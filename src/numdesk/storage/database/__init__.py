"""Everything about PostgreSQL itself: the server, its pool, its migrations and its faults.

No table of a product.
"""
