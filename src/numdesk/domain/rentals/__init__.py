"""Numbers rented by the hour, the day or the month."""
