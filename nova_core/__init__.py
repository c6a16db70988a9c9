"""Nova's engine: plans, scheduling, workers and state. Importing it costs nothing: every name lives in its module."""

__version__ = "0.1.0"
