"""A small shop: prices, a cart, a stock in a file, and a report that takes its time."""
