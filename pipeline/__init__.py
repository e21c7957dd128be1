"""Bring CSV and JSON dumps into Copernica over its REST API without losing, doubling or bending a record."""

__version__ = "0.1.0"
