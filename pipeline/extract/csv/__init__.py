"""Read CSV dumps."""
