"""Draws docs/pictures/run.svg: what a terminal shows in the middle of `nova run` in a copy of the quickstart."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nova_core.console.lines import LocalClock, event_line
from nova_core.console.live import STYLES, lower_part
from nova_core.events import Event, EventKind
from nova_core.orchestrator import Orchestrator
from nova_core.result import Snapshot

HERE = Path(__file__).parent
WIDTH = 100
MOMENT = 7  # tasks completed


def run(folder: Path) -> tuple[Snapshot, list[Event]]:
    """Run the plan; what was so, and what had happened, a little after the MOMENT."""
    engine = Orchestrator(folder / "CASCADE.md", folder / "cascade_state.json", 3)
    seen: list[Event] = []
    pictures: list[tuple[Snapshot, list[Event]]] = []

    def watch(event: Event) -> None:
        seen.append(event)
        completed = sum(e.kind is EventKind.TASK_COMPLETED for e in seen)
        if completed >= MOMENT and event.kind is EventKind.TASK_PROGRESS and len(engine.snapshot().running) == 3:
            pictures.append((engine.snapshot(), list(seen)))

    engine.subscribe(watch)
    engine.run()
    return pictures[min(3, len(pictures) - 1)]


def draw(snapshot: Snapshot, events: list[Event]) -> str:
    """The same widgets as on a terminal, as SVG."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ nova run", "bold"))
    clock = LocalClock()
    for event in events:
        line = event_line(event, snapshot.cascade.tasks, clock)
        if event.kind in STYLES and line:
            console.print(Text(line, STYLES[event.kind]))
    console.print(lower_part(snapshot, snapshot.critical_path_left, WIDTH))
    svg = console.export_svg(title="nova run")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no page that shows it shall load fonts


def main() -> None:
    """Run in a temporary copy, then write the picture."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "almanac")
        shutil.copytree(HERE.parents[1] / "examples" / "quickstart", folder)
        os.chdir(folder)
        snapshot, events = run(folder)
    os.chdir(HERE)
    svg = "\n".join(line.rstrip() for line in draw(snapshot, events).splitlines()) + "\n"
    HERE.joinpath("run.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
