"""Journeys: the real command line against the real sandbox over real HTTP, from dump to database."""
