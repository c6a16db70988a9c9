"""Nova's engine: plans, scheduling, workers and state. Importing it costs nothing: every name is in its own module."""

__version__ = "0.1.0"
