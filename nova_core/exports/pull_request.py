"""The text of a pull request: the plan, what each task did, its checks and its cost; and what opens one. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import msgspec

from nova_core.model import Task
from nova_core.parser.cascade import Cascade
from nova_core.runs.rollup import rollup
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.text import clean, cut, duration, head_and_tail, money, number_of

_MOST_NOTE = 600  # characters of a task's note
_MOST_BODY = 60_000  # characters; GitHub takes 65,536
_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#@"})


class Opening(msgspec.Struct, frozen=True):
    """What opens a pull request: `push` is for a person to type, `open` is what `nova pr --open` runs."""

    push: tuple[str, ...]
    open: tuple[str, ...]

    def lines(self) -> list[str]:
        """Both as shell lines; the body is made when the second one runs."""
        words = " ".join('"$(nova pr --body)"' if word == "{body}" else shlex.quote(word) for word in self.open)
        return [shlex.join(self.push), words]

    def command(self, body: str) -> list[str]:
        """The command with the body in its place."""
        return [body if word == "{body}" else word for word in self.open]


def branch_for(title: str) -> str:
    """A name for the branch of a pull request, made of the plan's."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in title.lower())
    return f"nova-{'-'.join(filter(None, plain.split('-')))[:40].strip('-') or 'run'}"


def opening(kind: str, remote: str, head: str, base: str, title: str, commit: str = "") -> Opening:
    """What opens a pull request (`kind` "gh") or a merge request ("glab") from branch `head` into `base`.

    With a `commit`, that is pushed as `head`, which needs not exist here. An empty `base` is the repository's own
    choice. Names of branches are passed with `=`, so that none is an option.
    """
    title = cut(clean(title), 100)
    if kind == "glab":
        into = [f"--target-branch={base}"] if base else []
        line = ["glab", "mr", "create", f"--source-branch={head}", *into, f"--title={title}", "--description", "{body}"]
    else:
        into = [f"--base={base}"] if base else []
        line = ["gh", "pr", "create", f"--head={head}", *into, f"--title={title}", "--body", "{body}"]
    ref = f"refs/heads/{head}"
    push = (
        ("git", "push", remote, f"{commit}:{ref}")
        if commit
        else ("git", "push", "--set-upstream", remote, f"{ref}:{ref}")
    )
    return Opening(push, tuple(line))


def body(cascade: Cascade, tasks: Mapping[str, TaskState]) -> str:
    """The text in Markdown. Texts of plans and agents are escaped: they mention nobody and close nothing."""
    work = [task for task in cascade.tasks.values() if not task.gate]
    states = {task.id: tasks.get(task.id, NEW) for task in work}
    done = [task for task in work if states[task.id].status is TaskStatus.COMPLETED]
    lines = [f"{len(done):,} of {number_of(len(work), 'task')} of {text(cascade.name)} done."]
    lines += ["", "| Task | What it did | Checks | Time | Cost |", "|---|---|---|---|---|"]
    lines += [_row(task, states[task.id]) for task in done]
    notes = [(task, note) for task in done if (note := states[task.id].handoff)]
    lines += ["", "## Notes", *(_note(task, note) for task, note in notes)] if notes else []
    rest = [task for task in work if states[task.id].status is not TaskStatus.COMPLETED]
    lines += ["", "## Not in it", "", *(f"- {text(t.id)}: {text(t.name)}" for t in rest)] if rest else []
    return head_and_tail("\n".join([*lines, "", _total(states)]), _MOST_BODY) + "\n"


def _row(task: Task, state: TaskState) -> str:
    name = text(task.name) if task.name != task.id else ""
    commit = f" ({state.commit_sha[:10]})" if state.commit_sha else ""
    proofs = [criterion for criterion in task.criteria if criterion.command]
    checks = f"{number_of(len(proofs), 'check')} passed" if proofs else ""
    cost = money(state.cost_usd) if state.cost_usd is not None else ""
    took = duration(state.elapsed) if state.elapsed else ""
    files = number_of(len(state.files_changed), "file") if state.files_changed else ""
    did = ", ".join(filter(None, (name, files)))
    return f"| {text(task.id)}{commit} | {did} | {checks} | {took} | {cost} |"


def _note(task: Task, note: str) -> str:
    return f"\n**{text(task.id)}**: {text(head_and_tail(note, _MOST_NOTE))}"


def _total(states: Mapping[str, TaskState]) -> str:
    sums = rollup(states.values())
    cost = f", {sums.cost}" if sums.priced else ""
    return f"Made with Nova: {duration(sum(state.elapsed for state in states.values()))} of work{cost}."


def text(value: str) -> str:
    """Any text on one line of Markdown, as text."""
    return " ".join(clean(value).split()).translate(_MARKDOWN)
