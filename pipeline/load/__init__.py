"""Load staged rows into Copernica: cut chunks, send them as imports, verify a sample."""
