"""What an engine is, and what it takes to execute one."""
