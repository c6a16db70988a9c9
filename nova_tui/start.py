"""Opens the interface on a run and returns how it was left; always restores the terminal."""

from __future__ import annotations

import gc
import os
import sys

import msgspec

from nova_core.console.terminal import ABRUPT, FAULTS, LEAVE_SCREEN, OTHERS, whole_after_abrupt_end
from nova_core.watch.source import Source
from nova_tui.choice import Look, QuitChoice, lacks_marks

# Two threads share the interpreter: while the engine computes, keys wait 186 ms (p95) at the default 5 ms, and 57 ms
# at 1 ms.
_SWITCH = 0.001
_FRAMES = "120"  # 60 would add up to 16 ms to each key; networks add more than that anyway


class Ended(msgspec.Struct, frozen=True):
    """How the interface was left: by a choice, a signal or a bug; with none of these, there was nothing to choose or
    the terminal disappeared."""

    choice: QuitChoice | None = None
    signal: int | None = None
    failure: BaseException | None = None


def show(source: Source, look: Look) -> Ended:
    """Show the run until the user leaves. Raises `NovaError` before it opens, for an invalid theme or keys."""
    if "SSH_CONNECTION" not in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", _FRAMES)  # textual reads it on import
    sys.setswitchinterval(_SWITCH)
    gc.disable()  # saves 25 to 50 ms before the first paint; the app enables it again
    from nova_tui.app import NovaApp
    from nova_tui.safe import SAFE

    app = NovaApp(source, Look(look.ascii or lacks_marks(os.environ), look.theme))
    SAFE.encoding = getattr(sys.__stderr__, "encoding", "utf-8")
    try:
        with whole_after_abrupt_end(2, LEAVE_SCREEN, (*ABRUPT, *FAULTS, *OTHERS)):  # textual draws on stderr
            choice = app.run()
    except Exception as error:
        return Ended(failure=error)
    finally:
        gc.enable()
    return Ended(choice, signal=app.ended_by, failure=app.failure)
