"""Rows of webhooks: endpoints of customers, deliveries and their attempts."""
