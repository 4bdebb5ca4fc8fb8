"""What the benches share: a started server with customers and stock, a load generator, pgbench."""
