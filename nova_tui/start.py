"""Opens the screen on a run and tells how it was left; the terminal is put back whatever happens."""

from __future__ import annotations

import gc
import os
import sys

import msgspec

from nova_core.watch.source import Source
from nova_tui.choice import Look, QuitChoice

# Two threads share the interpreter: with the usual 5 ms an engine that computes makes keys wait 186 ms (p95), with 1 ms
# 57 ms.
_SWITCH = 0.001
_FRAMES = "120"  # 60 adds up to 16 ms to each key; over a network that is lost anyway


class Ended(msgspec.Struct, frozen=True):
    """How the screen was left: as was chosen, by a signal, by a mistake of ours, or, with none of these, because there
    was nothing to choose or the terminal went away."""

    choice: QuitChoice | None = None
    signal: int | None = None
    failure: BaseException | None = None


def show(source: Source, look: Look) -> Ended:
    """Show the run until the person leaves. Raises `NovaError` before it opens: no such look, or no such keys."""
    if "SSH_CONNECTION" not in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", _FRAMES)  # read when textual is imported
    sys.setswitchinterval(_SWITCH)
    gc.disable()  # saves 25 to 50 ms until the first paint; the app turns it on again
    from nova_tui.app import NovaApp

    app = NovaApp(source, look)
    try:
        choice = app.run()
    except Exception as error:
        return Ended(failure=error)
    finally:
        gc.enable()
    return Ended(choice, signal=app.ended_by, failure=app.failure)
