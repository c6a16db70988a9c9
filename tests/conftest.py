"""Shared by all tests: hypothesis without time limits (the machine may be busy), and the same surroundings anywhere."""

import gc
import os
import signal
import sys

import pytest
import quick_disk
import sampling
from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test` tries the same examples each time, so that it fails only for what was changed; `make properties` draws
# others each time.
settings.register_profile("nova", _PATIENT, max_examples=8, derandomize=True)
settings.register_profile("campaign", _PATIENT, max_examples=1000)
settings.load_profile("nova")

# The output of programs is checked in its default form, without variables that change it.
_STEERING = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PYTHONWARNINGS")
for _name in [n for n in os.environ if n in _STEERING or n.startswith(("GITHUB_", "NOVA_"))]:
    if not _name.startswith("NOVA_TEST_"):
        del os.environ[_name]

# Under nohup, or in the background of a script, these are ignored, also by all that the tests start.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)

# The tests start Nova a thousand times. Where bytecode is not kept, as in many containers, each start compiles it
# again, which is half of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The `python3` of tasks is the interpreter of the tests. Another one may be a wrapper that takes ten times as long.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])

quick_disk.install()


def pytest_configure(config: pytest.Config) -> None:
    """Collect the rest of the tables only if it is to run, or the user selects tests in another way."""
    if "not slow" in config.option.markexpr:
        sampling.leave_out_the_rest()


# Nothing that collection creates is garbage, and the collector would look at all of it again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector look only at what tests create, as seldom as in `nova` (`nova_core.__main__.enter`)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
