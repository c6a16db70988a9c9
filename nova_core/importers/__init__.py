"""Reads plans: CASCADE.md, folders of task files, and the plans of other tools."""

from nova_core.importers.formats import plan_file, read_plan

__all__ = ["plan_file", "read_plan"]
