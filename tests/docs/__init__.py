"""What the documents say is held against the program."""
