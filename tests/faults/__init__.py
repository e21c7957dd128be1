"""Every fault of the sandbox against every kind of request, and against whole runs."""
