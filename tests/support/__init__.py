"""The one harness of all tests: places, the command line, jobs, sandboxes and journeys, a sample shop.

Tests import from here, never from a `conftest`; fixtures that every folder uses stand in tests/conftest.py.
"""
