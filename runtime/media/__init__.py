"""Pictures and videos: read, written, told apart, and listed as jobs."""
