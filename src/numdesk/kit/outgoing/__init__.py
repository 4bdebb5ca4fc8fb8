"""The edge towards other servers: checked addresses, bounded HTTP calls."""
