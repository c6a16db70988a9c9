"""Reads plans: CASCADE.md, folders of task files, and the plans of other tools."""

from nova_core.importers.formats import read_plan
from nova_core.importers.options import Options

__all__ = ["Options", "read_plan"]
