"""The prompt of a task: a template, which may be replaced, filled with facts from the plan and the run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from nova_core.model import Criterion, Task, places_of
from nova_core.text import clean, cut, head_and_tail

TEMPLATE = """\
You are working on one task of the project "{project}". Do this task and nothing else: other workers do the other tasks,
{place}

# Task {id}: {name}

{description}

{details}

{dependencies}

{inputs}

{outputs}

{criteria}

{feedback}

# While you work

{report}

Nobody can answer questions. Decide yourself, and say in your last message what you decided. If you cannot do the
task, say why and end with an error instead of pretending.
"""
PLACEHOLDERS = (
    "project", "id", "name", "description", "details", "dependencies", "inputs", "outputs", "criteria",
    "feedback", "report", "place",
)  # fmt: skip
_PLACE = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_NOTES = 8000  # characters for the notes of all dependencies, shared evenly; a long note loses its middle
_MOST_FILES = 40
_MOST_WHY = 500

_BY_COMMAND = """\
Report what you are doing at each larger step (the command is available and fast):

    nova report --step "what you are doing now" --percent 40

Tasks that depend on yours read the note you leave: `nova report --note "what to know"`."""
_BY_TOOL = """\
Report what you are doing at each larger step: call the tool `report` of the server `nova` with a step and a
percentage. Report each criterion that is met with `verify`, and each required file with `output`. Tasks that depend on
yours read the note you leave with `handoff`."""

_SHARED = "perhaps at the same time and in the same directory."
_OWN_TREE = """\
each in a copy of the project of its own. This directory is yours: stay in it. What you leave here is committed and
merged for you when you are done, so you need not commit; do not push."""

_NOT_DONE = """\
Your work on this task was checked, and the task is not done yet. Your first instructions still apply, and what you
changed is still there. Find out what is wrong, correct it, and finish the task."""


class Done(msgspec.Struct, frozen=True):
    """A completed dependency: what it did, for the tasks that depend on it. `note` is its own text."""

    id: str
    name: str
    files: tuple[str, ...] = ()
    commit: str | None = None
    note: str | None = None


class Briefing(msgspec.Struct, frozen=True):
    """What the agent gets besides its task: what its dependencies did, why attempts failed, why one was cut off.

    `own_tree`: it works in a tree of its own. `conflict` says with what its work could not be merged.
    """

    done: tuple[Done, ...] = ()
    feedback: str = ""
    interruption: str = ""
    own_tree: bool = False
    conflict: str = ""


NO_BRIEFING = Briefing()


def build_prompt(
    task: Task, project_name: str, briefing: Briefing = NO_BRIEFING, *, by_tool: bool = False, template: str = TEMPLATE
) -> str:
    """The whole prompt for `task`: what to do, what was done before, what must exist, what is checked, how to report.

    A paragraph of the template that holds only empty placeholders is left out. A template without a place for the
    feedback gets it at its end.
    """
    if "{feedback}" not in template:
        template += "\n\n{feedback}"
    values = {
        "project": project_name,
        "id": task.id,
        "name": task.name,
        "description": task.description.strip(),
        "details": task.details.strip(),
        "dependencies": dependencies(briefing.done),
        "inputs": _inputs(task),
        "outputs": _outputs(task),
        "criteria": _criteria(task.criteria, by_tool),
        "feedback": "\n\n".join(filter(None, (briefing.feedback, briefing.conflict))),
        "place": _OWN_TREE if briefing.own_tree else _SHARED,
        "report": _BY_TOOL if by_tool else _BY_COMMAND,
    }
    paragraphs = (_filled(paragraph, values) for paragraph in re.split(r"\n{2,}", template.strip()))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.strip()) + "\n"


def resumed_prompt(briefing: Briefing, *, cut_off: bool) -> str:
    """The prompt for an agent that continues its own session, which knows the task already.

    `cut_off` means that it was interrupted; otherwise its work was found wanting.
    """
    if briefing.conflict:
        return f"{briefing.conflict}\n"
    if not cut_off:
        return f"{_NOT_DONE}\n\n{briefing.feedback}\n"
    why = cut(clean(" ".join(briefing.interruption.split())), _MOST_WHY)
    text = (
        f"Your work on this task was interrupted ({why}). Check what is already done, then continue the task and\n"
        "finish it; your first instructions still apply.\n"
    )
    return f"{text}\n{briefing.feedback}\n" if briefing.feedback else text


def _filled(paragraph: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values[found[1]], paragraph)


def dependencies(done: Sequence[Done]) -> str:
    """What the dependencies of a task did; empty if it has none."""
    if not done:
        return ""
    share = max(200, _NOTES // len(done))
    return "# Done before\n\n" + "\n\n".join(_done(item, share) for item in done)


def _done(item: Done, most: int) -> str:
    lines = [f"## {item.id}: {item.name}"]
    if item.commit:
        lines.append(f"Commit: {item.commit}")
    if item.files:
        more = f" and {len(item.files) - _MOST_FILES} more" if len(item.files) > _MOST_FILES else ""
        lines.append("Files: " + ", ".join(item.files[:_MOST_FILES]) + more)
    if item.note:
        lines.append("Its note: " + head_and_tail(item.note.strip(), most))
    return "\n".join(lines)


def _inputs(task: Task) -> str:
    if not task.inputs:
        return ""
    lines = [f"- {path.replace('|', ', or ')}" for path in task.inputs]
    return "# Inputs\n\nThe task works from these files (paths from the project root):\n\n" + "\n".join(lines)


def _outputs(task: Task) -> str:
    if not task.workspace:
        lines = [f"- {output}" for output in task.outputs]
        return _list("Outputs", "you have written these files (paths from the project root)", lines)
    places = (places_of(output, task.workspace).split("|") for output in task.outputs)
    lines = [f"- `{first}`" + "".join(f", or `{other}` in the project" for other in rest) for first, *rest in places]
    where = f"these files or folders exist. Your folder for outputs is `{task.workspace}`"
    return _list(
        "Outputs", f"{where} (`$NOVA_OUTPUT_DIR`); files that are part of the project go to their place in it", lines
    )


def _criteria(criteria: tuple[Criterion, ...], by_tool: bool) -> str:
    how = "`verify`" if by_tool else "`nova report --criterion 1`"
    intro = f"all of these hold; report each one that does by its number, as in {how}"
    return _list("Criteria", intro, [_criterion(i, c) for i, c in enumerate(criteria, 1)])


def _list(title: str, condition: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"# {title}\n\nThe task counts as done only if {condition}:\n\n" + "\n".join(items)


def _criterion(number: int, criterion: Criterion) -> str:
    if criterion.command is None:
        return f"{number}. {criterion.text}"
    proof = "" if criterion.command in criterion.text else f" (`{criterion.command}`)"
    return f"{number}. {criterion.text}{proof}, which will be run to check it"
