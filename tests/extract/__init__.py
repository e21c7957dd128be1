"""Reading of dump files."""
