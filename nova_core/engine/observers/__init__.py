"""Observers follow a run without changing its tasks: milestones, hooks, status files, ticks in the plan."""
