"""PostgreSQL: SQL in the function that runs it, rows to domain values, constraints to named
refusals. Decides nothing, calls nobody."""
