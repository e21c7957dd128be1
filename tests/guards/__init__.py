"""Guards before wire: each refuses with nothing sent, and lets pass what is forced."""
