"""Nova's terminal interface."""
