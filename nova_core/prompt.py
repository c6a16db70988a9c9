"""The words an agent gets for one task."""

from __future__ import annotations

from collections.abc import Sequence

from nova_core.model import Criterion, Task

_OPENING = """\
You are working on one task of the project "{project}". Do this task and nothing else: other workers do the other tasks,
perhaps at this moment and in this same directory.

# Task {id}: {name}
"""

_CLOSING = """\
# While you work

Tell the person who watches what you are doing, at each larger step (the command is there for you, and cheap):

    nova report --step "what you are doing now" --percent 40

Nobody can answer questions: decide yourself, and say in your last message what you decided. When you cannot do the
task, say why and end with an error instead of pretending.
"""


def build_prompt(task: Task, project_name: str) -> str:
    """The whole prompt for `task`: what to do, what must exist afterwards, what will be checked, how to report."""
    sections = (
        _OPENING.format(project=project_name, id=task.id, name=task.name),
        task.description,
        task.details,
        _outputs(task.outputs),
        _criteria(task.criteria),
        _CLOSING,
    )
    return "\n\n".join(section.strip() for section in sections if section.strip()) + "\n"


def _outputs(outputs: tuple[str, ...]) -> str:
    return _list(
        "Outputs", "you have written these files (paths from the project root)", [f"- {output}" for output in outputs]
    )


def _criteria(criteria: tuple[Criterion, ...]) -> str:
    intro = "all of this holds; tell each one that does by its number, as in `nova report --criterion 1`"
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
