"""The plan of one task with which an agent drafts a plan, and what a draft must be like."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.parser.findings import quoted
from nova_core.text import number_of

DRAFT_TASK = "draft"
_FEWEST_PARTS = 2

_PLAN = """\
# Draft of a plan

| Task ID | Task Name | What Changes | Depends On |
|---------|-----------|--------------|------------|
| {task} | {name} | Only the file {file} | - |

#### {task}

- [ ] `{check}` succeeds

{text}
"""
_NEW = """\
Write a plan for the work below to the file {file}. Look at the project first. Change no other file and do none
of the work: other agents do the tasks of your plan, after a person has read it.

The work:

{wish}
"""
_SPLIT = """\
The task {split} of the plan {plan} is too large for one agent. Copy the plan to the file {file}, and replace the
row of {split}, and its section if it has one, by at least two smaller tasks that together do the same. What depended
on {split} now depends on those of the new tasks that it needs. Leave all other tasks, their ids and their words as
they are.
Look at the project first. Change no other file and do none of the work: other agents do the tasks, after a
person has read the plan.
{wish}
"""
_RULES = """\
How to cut tasks:

- One agent does one task, alone, with no more than its own text: say what to change, where, and what it may rely on.
- Agents work side by side in one directory. Cut by files and parts, so that two tasks that can run at the same time
  never change the same file. What several tasks need (types, tables, interfaces) is a task of its own, before them.
- Let a task depend on what it reads or changes, and on nothing else: each needless dependency makes the run longer.
- A task is a piece of work of about half an hour. The last task runs all tests.
- Every task has Outputs (paths of files that must exist, comma separated) or a criterion that is a command, which must
  succeed when the task is done and fail before, such as a test of exactly this part. Commands run in the project.

The format is a Markdown file with one table, or one below each heading of a part, and a section for each task that
needs more than a line:

{example}

- Ids are short: letters, digits, `-`, `_` and `.`. Depends On has ids with commas, or `-`.
- A box is a criterion. Text in backticks at its start is a command; write `succeeds` after it.

Check the plan with this command, and correct what it reports, until it succeeds:

    {check}
"""
_EXAMPLE = """\
# Name of the project

## L1: Server

### L2: Orders

| Task ID | Task Name | What Changes | Depends On | Outputs |
|---------|-----------|--------------|------------|---------|
| O1 | Order types | Types of an order and its lines | - | src/orders/types.py |
| O2 | Store of orders | Reads and writes orders in SQLite | O1 | src/orders/store.py |
| O3 | Prices | Totals with tax, rounded to cents | O1 | src/orders/prices.py |
| O4 | All tests | Runs all tests, and corrects what fails | O2, O3 | - |

#### O2

Use the table `orders` of `db/schema.sql`. Two writers at once must not lose an order.

- [ ] `pytest -q tests/orders/test_store.py` succeeds
"""


def draft_plan(wish: str, file: str, check: str, *, plan: str = "", split: str = "") -> str:
    """The Markdown of a plan with one task: write a plan to `file`, so that the command `check` succeeds.

    With `split`, that task of `plan` is to be replaced by smaller ones; `wish` may then be empty.
    """
    if split:
        more = f"\nThe person who asks for it says:\n\n{fenced(wish)}\n" if wish else ""
        head = _SPLIT.format(split=split, plan=plan, file=file, wish=more)
    else:
        head = _NEW.format(file=file, wish=fenced(wish))
    text = f"{head}\n{_RULES.format(example=fenced(_EXAMPLE.rstrip()), check=check)}"
    name = f"Split {split}" if split else "Draft a plan"
    return _PLAN.format(task=DRAFT_TASK, name=name, file=file, text=text.strip(), check=check)


def fenced(text: str) -> str:
    """The text in a code fence that nothing in it closes."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.strip()}\n{fence}"


def problems_of(draft: Cascade, before: Cascade | None = None, split: str = "") -> Iterator[str]:
    """What is wrong with a draft that is a valid plan; `before` is the plan in which `split` was replaced."""
    tasks = [task for task in draft.tasks.values() if not task.gate]
    new = [task for task in tasks if before is None or task.id not in before.tasks]
    for task in new:
        if not task.command and not task.outputs and not any(c.command for c in task.criteria):
            yield f"{task.id} has neither Outputs nor a criterion that is a command"
    if before is not None:
        yield from _changes(draft, before, split, new)


def _changes(draft: Cascade, before: Cascade, split: str, new: Collection[Task]) -> Iterator[str]:
    if split in draft.tasks:
        yield f"{split} is still there: replace it by smaller tasks"
    if len(new) < _FEWEST_PARTS:
        yield f"{split} was replaced by {number_of(len(new), 'new task')}: write at least {_FEWEST_PARTS}"
    for task in before.tasks.values():
        now = draft.tasks.get(task.id)
        if task.id == split:
            continue
        if now is None:
            yield f"{task.id} is missing: leave the other tasks as they are"
        elif _words(now) != _words(task):
            yield f"{task.id} was changed: leave its words as they are, {quoted(task.name)}"
        elif lost := [i for i in task.depends_on if i != split and i not in now.depends_on]:
            yield f"{task.id} no longer depends on {', '.join(lost)}"


def _words(task: Task) -> tuple[object, ...]:
    criteria = [(c.text, c.command) for c in task.criteria]
    return task.name, task.description, task.details, task.command, task.agent, task.model, task.outputs, criteria
