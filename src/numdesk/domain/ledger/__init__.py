"""The laws of the double-entry ledger and its chart of accounts; no journal of a product."""
