"""Reads plans: CASCADE.md, folders of task files, and the plans of other tools."""

from nova_core.importers.formats import read_plan

__all__ = ["read_plan"]
