"""What can be sold: countries, services, operators, numbers, offers and how they are ranked."""
