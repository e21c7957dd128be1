"""Load staged rows into Copernica: cut chunks, send them as imports or profile by profile, verify a sample."""
