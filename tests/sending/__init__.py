"""How chunks go: in which order, how many at a time, and what travels last."""
