"""Conduct a command: run, resume, validate, check. Each reads like the path of the data."""
