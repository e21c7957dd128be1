"""Compare staged rows with the live target: what a run would create, change and leave (data rule 46)."""
