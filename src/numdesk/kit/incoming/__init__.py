"""The edge towards clients: bounded connections, requests and answers."""
