"""The command line: one module per command group; here lives only `main`, which dispatches to them."""
