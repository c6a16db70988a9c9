"""The state of a project: `cascade_state.json`, its events, and the database beside it."""

from nova_core.state.manager import StateManager, TaskStatus, decode_state

__all__ = ["StateManager", "TaskStatus", "decode_state"]
