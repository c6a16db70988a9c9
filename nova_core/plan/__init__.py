"""A plan at work: what is ready, what blocks what, what changed, what comes when."""
