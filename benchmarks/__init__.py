"""Measure how fast `copernica-import` is, beside a limit and other tools (see README.md here)."""
