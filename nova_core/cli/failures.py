"""Reports a failed command: one line, a hint and a documented exit code; never a traceback."""

from __future__ import annotations

import os

from nova_core.cli.options import DEFAULT_PLAN
from nova_core.cli.output import note
from nova_core.errors import EnvironmentProblem, InputError, NovaError, Problem

INTERNAL = 70


def show_error(error: NovaError) -> int:
    """Print the error, or every problem of a plan, and return the exit code."""
    if isinstance(error, InputError):
        show_problems(error.problems)
    else:
        from nova_core.text import clean

        note(f"nova: {clean(error.message)}")
        show_hint(clean(error.hint))
    return error.exit_code


def show_problems(problems: tuple[Problem, ...]) -> None:
    """Print each problem as `path:line: message`, with its hint below."""
    from nova_core.text import clean

    lines = []
    for problem in problems:
        mark = "warning: " if problem.warning else ""
        lines.append(f"{clean(problem.place)}: {mark}{clean(problem.message)}")
        nothing_yet = problem.path == DEFAULT_PLAN and not os.path.lexists(DEFAULT_PLAN)
        hint = "write one with nova init, or give the path of a plan" if nothing_yet else problem.hint
        if hint:
            lines.append(f"  hint: {clean(hint)}")
    if lines:
        note("\n".join(lines))


def show_hint(hint: str) -> None:
    """Print the hint, unless it is empty."""
    if hint:
        note(f"hint: {hint}")


def show_refusal(error: OSError) -> int:
    """Report an unexpected refusal of the system, such as a file of another type or owner."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    if os.environ.get("NOVA_DEBUG"):
        crash(error)
    hint = "check its owner, type and permissions, and that the disk is not full; nova doctor checks the rest"
    return show_error(EnvironmentProblem(f"{where}{error.strerror or error}", hint=hint))


def crash(error: BaseException) -> int:
    """A bug in Nova: report it in one line and keep the traceback in `.nova/`; `NOVA_DEBUG=1` shows it."""
    from nova_core.files.crash_report import keep_crash_report
    from nova_core.text import clean

    kept = keep_crash_report(error)
    where = f"; details are in {kept}" if kept else ""
    summary = clean(str(error))[:200]
    note(f"nova: internal error: {type(error).__name__}: {summary}{where}")
    if os.environ.get("NOVA_DEBUG"):
        import traceback

        note("".join(traceback.format_exception(error)).rstrip())
    elif not kept:
        show_hint("set NOVA_DEBUG=1 to see the details")
    return INTERNAL
