"""What can be said about how to read a plan."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True):
    """`format` names the kind of plan where it cannot be told; `tag` picks one of several lists of tasks (Taskmaster);
    with `optional`, tasks that the plan calls optional are to be done too; with `lenient`, a table was not written for
    Nova, see `parse_text`.
    """

    format: str = ""
    tag: str = ""
    optional: bool = False
    lenient: bool = False
