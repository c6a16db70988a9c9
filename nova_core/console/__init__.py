"""What a headless run prints: one line per event, JSON lines, a live view on a terminal, and the summary at the end."""
