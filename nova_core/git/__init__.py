"""Reading a git repository."""
