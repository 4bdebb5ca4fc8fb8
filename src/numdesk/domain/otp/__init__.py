"""Find the one-time code in a message: pure functions and the words they need."""
