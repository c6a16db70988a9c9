"""Facts on each coding agent: how it is started, and how its output is read. Pure: no files, no processes."""

from nova_core.agents.formats import FORMATS as FORMATS
