"""How long reading and ticking large checklists takes: `python bench/checklists.py [lines]`."""

from __future__ import annotations

import gc
import itertools
import sys
import time

from nova_core.importers import kiro, openspec, speckit
from nova_core.importers.build import build
from nova_core.importers.tick import tick
from nova_core.model import PlanOptions


def plans(lines: int) -> dict[str, str]:
    """A plan of each format with about `lines` lines."""
    return {
        "spec-kit": "# Tasks: Shop\n"
        + "".join(
            (f"## Phase {at // 1000}: User Story {at // 1000}\n" if at % 1000 == 0 else "")
            + f"- [ ] T{at:06} {'[P] ' if at % 3 else ''}Do it in src/a{at}.py (depends on T{max(0, at - 7):06})\n"
            for at in range(lines)
        ),
        "kiro": "# Implementation Plan\n"
        + "".join(
            f"- [ ] {at}. Do\n  - [ ] {at}.1 This\n    - detail\n  - [ ]* {at}.2 (P) That\n    - _Requirements: 1.1_\n"
            for at in range(lines // 5)
        ),
        "openspec": "".join(
            f"## {at}. Group\n- [ ] {at}.1 Do\n  - [ ] step\n- [x] {at}.2 Do\n  more text\n" for at in range(lines // 5)
        ),
    }


def main() -> None:
    """Print one line for each format and size."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    readers = {"spec-kit": speckit, "kiro": kiro, "openspec": openspec}
    for lines in (most // 10, most):
        for kind, text in plans(lines).items():
            gc.collect()
            gc.disable()  # as formats.read_plan does
            times = [time.perf_counter()]
            draft = readers[kind].read("tasks.md", text, PlanOptions())
            times.append(time.perf_counter())
            cascade = build(draft)
            times.append(time.perf_counter())
            ticked = tick(text, cascade.marks, set(cascade.tasks))
            times.append(time.perf_counter())
            read, built, done = (end - start for start, end in itertools.pairwise(times))
            count = f"{len(ticked.lines):,} ticked"
            print(f"{kind:9} {lines:>8,} lines: read {read:.2f}s, build {built:.2f}s, {count} {done:.2f}s")


if __name__ == "__main__":
    main()
