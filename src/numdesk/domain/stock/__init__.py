"""The range: countries, services, operators, numbers, offers and how they are ranked."""
