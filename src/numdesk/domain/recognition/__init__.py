"""Recognise the service that a message is from: pure functions and the words they need."""
