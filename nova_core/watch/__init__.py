"""The seam of every face: what a run shows, and what may be asked of it."""
