"""What can be said about how to read a plan."""

from nova_core.model import PlanOptions as Options

__all__ = ["Options"]
