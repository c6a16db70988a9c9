"""The plan during a run: ready tasks, blocked tasks, changes, and the order of starts."""
