"""Networks, their weights and cards, and the registry that finds them by name."""
