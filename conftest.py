"""Loads the shared fixtures for every test: those in tests/ and those that plugins carry in their
own folders."""

pytest_plugins = (
    "tests.support.fixtures",
    "tests.support.desk",
    "tests.support.rentals",
    "tests.dialects.cases",
    "tests.dialects.desk",
)
