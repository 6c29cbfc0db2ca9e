"""What an engine is, and what executes one: shared by building, validating and running."""
