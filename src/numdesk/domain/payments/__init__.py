"""Top-ups of wallets and the payments at gateways behind them."""
