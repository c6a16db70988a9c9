"""Output of a headless run: one line per event, JSON lines, a live view on a terminal, and the final summary."""
