"""Numbers bought for one code: the states of an order and what a purchase came to."""
