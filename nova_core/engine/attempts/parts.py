"""The parts of a run, shared by the objects that work on it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nova_core.agents.pricing import Price
from nova_core.clock import Clock
from nova_core.config import Config
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.job_slots import JobSlots
from nova_core.engine.attempts.own_trees import OwnTrees
from nova_core.executors.base import Executor
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.launch.launcher import Launcher
from nova_core.plan.board import Board
from nova_core.state.store import Store


class Parts(msgspec.Struct, frozen=True):
    """The parts of one run. `active` are the running attempts by task id, `logs` the names in the log folder."""

    project: Project
    config: Config
    store: Store
    board: Board
    launcher: Launcher
    executor: Executor
    prices: Mapping[str, Price]
    clock: Clock
    disk: Disk
    active: dict[str, Attempt]
    logs: set[str]
    slots: JobSlots
    trees: OwnTrees
