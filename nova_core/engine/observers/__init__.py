"""What follows a run without steering it: milestones, hooks, status files, ticks in the plan."""
