"""Hold the values that pass between the packages."""
