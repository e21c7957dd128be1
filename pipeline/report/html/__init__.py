"""Write the pages that a run leaves: its report, and the index of all runs."""
