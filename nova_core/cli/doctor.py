"""`nova doctor`: checks whether this machine and this directory have what Nova needs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from nova_core import __version__
from nova_core.cli.checks import NETWORK_FILESYSTEMS, Finding, Level, filesystem_of
from nova_core.cli.options import AsJson, Directory, here
from nova_core.cli.output import columns, out_json, out_lines, paint
from nova_core.errors import NovaError

if TYPE_CHECKING:
    from nova_core.config import Config

LITTLE_SPACE = 1_000_000_000
VERSION_TIMEOUT = 10.0


# What a new user should know of an agent before choosing it.
DATED = {
    "gemini": "serves enterprise accounts only; since June 2026 private accounts use agy (`kind: acp`)",
    "aider": "has had no release since February 2026",
}


COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red", Level.NOTE: "dim"}


def doctor(as_json: AsJson = False, directory: Directory = None) -> int:
    """Check Python, kernel, disk, git and agents.

    The exit code is 8 if something will not work.

    Example: nova doctor -C my-project
    """
    from nova_core.text import clean

    findings = list(all_findings())
    if as_json:
        out_json([finding._asdict() for finding in findings], indent=True)
    else:
        width = max(len(level) for level in Level)
        shown = columns([(clean(finding.what), clean(finding.detail)) for finding in findings])
        out_lines(
            paint(f.level.ljust(width), COLOURS[f.level]) + "  " + line for f, line in zip(findings, shown, strict=True)
        )
    return 8 if any(finding.level is Level.PROBLEM for finding in findings) else 0


def all_findings() -> Iterator[Finding]:
    """Run all checks in order."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        python, command, kernel, children, directory_of_project, disk, git, isolation, agents, surroundings,
    )  # fmt: skip
    for check in checks:
        yield from check()


def python() -> Iterator[Finding]:
    """Check the interpreter, which holders also use."""
    yield Finding(Level.OK, "python", f"{platform.python_version()} at {sys.executable}")


def command() -> Iterator[Finding]:
    """`nova` on PATH must be this program: another project and older Novas use the same name."""
    found = shutil.which("nova")
    if found is None:
        return
    version = version_of([found, "--version"])
    if version == f"nova {__version__}":
        yield Finding(Level.OK, "command", f"{found} ({version})")
    else:
        own = os.path.dirname(sys.executable)
        told = f"{found} comes first on PATH, and is another program ({version}), which workers would report to"
        yield Finding(Level.WARNING, "command", f"{told}; put {own} before it, or remove it")


def kernel() -> Iterator[Finding]:
    """pidfd (5.3) reports an exit without polling; with a child subreaper (3.4) no descendant escapes."""
    system = f"{platform.system()} {platform.release()}"
    if sys.platform != "linux":
        yield Finding(Level.WARNING, "kernel", f"{system}: tested on Linux only; daemons of workers may escape")
        return
    yield Finding(Level.OK, "kernel", system)
    try:
        os.close(os.pidfd_open(os.getpid()))
        yield Finding(Level.OK, "pidfd", "works: an exit is noticed at once")
    except OSError as error:
        yield Finding(Level.WARNING, "pidfd", f"{error.strerror}: exits are noticed by polling")
    if has_subreaper():
        yield Finding(Level.OK, "subreaper", "works: descendants of a worker are found when it ends")
    else:
        yield Finding(Level.WARNING, "subreaper", "not available: daemons of a worker may outlive it")


def has_subreaper() -> bool:
    """Returns True if the kernel supports prctl(PR_GET_CHILD_SUBREAPER); changes nothing."""
    import ctypes

    flag = ctypes.c_int()
    try:
        return bool(ctypes.CDLL(None).prctl(37, ctypes.byref(flag), 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def children() -> Iterator[Finding]:
    """/proc/PID/task/TID/children needs CONFIG_PROC_CHILDREN."""
    if sys.platform != "linux":
        return
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        yield Finding(Level.OK, "/proc children", "present")
    else:
        yield Finding(Level.WARNING, "/proc children", "missing: finding descendants reads all of /proc")


def directory_of_project() -> Iterator[Finding]:
    """Locks and private files must work in the project's directory."""
    root = here().root
    kind = filesystem_of(str(root))
    if kind in NETWORK_FILESYSTEMS:
        yield Finding(Level.WARNING, "filesystem", f"{kind}: locks of other machines may not be seen; use one machine")
    elif kind:
        yield Finding(Level.OK, "filesystem", kind)
    problem = try_lock(str(root))
    if problem:
        yield Finding(Level.PROBLEM, "project directory", f"{root}: {problem}")
    else:
        yield Finding(Level.OK, "project directory", f"{root}: writable, flock works")


def try_lock(directory: str) -> str:
    """Create a file, lock it, check that a second lock fails, remove it; returns the problem, or None."""
    import fcntl
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".nova-doctor-") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(file.name, "rb") as second:
                try:
                    fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return ""
            return "locks do not exclude other processes"
    except OSError as error:
        return str(error.strerror)


def disk() -> Iterator[Finding]:
    """Check the free space for logs and the state."""
    from nova_core.text import size

    free = shutil.disk_usage(".").free
    level = Level.WARNING if free < LITTLE_SPACE else Level.OK
    yield Finding(level, "disk", f"{size(free)} free")


def git() -> Iterator[Finding]:
    """Check git, which shows the files a task changed."""
    found = shutil.which("git")
    if found is None:
        yield Finding(Level.NOTE, "git", "not found: changed files are not recorded")
        return
    yield Finding(Level.OK, "git", version_of([found, "--version"]))
    inside = any(os.path.exists(os.path.join(parent, ".git")) for parent in (here().root, *here().root.parents))
    if not inside:
        yield Finding(Level.NOTE, "repository", "not in a git repository: changed files are not recorded")


def isolation() -> Iterator[Finding]:
    """Whether tasks can work in trees of their own, and what would surprise them there."""
    from nova_core.cli.isolation_checks import findings
    from nova_core.config import load_config

    try:
        config = load_config(None, environ=os.environ)
    except NovaError:  # reported with the agents
        return
    yield from findings(here().root, config)


def agents() -> Iterator[Finding]:
    """The agents of nova.yaml must be on PATH; other known agents are listed if installed."""
    from nova_core.agents.acp_agents import ACP_AGENTS, settings_of
    from nova_core.agents.adapters import ADAPTERS
    from nova_core.config import load_config
    from nova_core.files.variants import unread

    try:
        config = load_config(None, environ=os.environ)
    except NovaError as error:
        yield Finding(Level.PROBLEM, "nova.yaml", str(error))
        return
    wanted = list(dict.fromkeys((*config.agents, *config.agent)))
    installed = [name for name, adapter in ADAPTERS.items() if name not in wanted and shutil.which(adapter.program)]
    if not wanted and not installed and not config.command:
        yield Finding(
            Level.NOTE, "agents", "none installed or configured: tasks need a Command column; see docs/agents.md"
        )
    for line in unread(here().root):
        yield Finding(Level.WARNING, "settings", line)
    for name in (*wanted, *installed):
        yield agent_finding(name, config)
        yield from account_findings(name, config)
        yield from price_finding(name, config)
        if name in DATED:
            yield Finding(Level.NOTE, f"agent {name}", DATED[name])
    for name, adapter in ACP_AGENTS.items():
        if name not in (*wanted, *ADAPTERS) and shutil.which(adapter.program):
            hint = f"write in nova.yaml: `agents: {settings_of(name)}`"
            yield Finding(Level.NOTE, f"agent {name}", f"{adapter.program} is installed; to use it, {hint}")


def agent_finding(name: str, config: Config) -> Finding:
    """Check that an agent is installed, in a tested version."""
    from nova_core.launch.invocation import adapter_of, agent_named, program_of

    agent = agent_named(config, name)
    if agent is None:
        return Finding(Level.PROBLEM, f"agent {name}", "it is not in `agents:`, and Nova does not know it")
    adapter, program = adapter_of(name, agent), program_of(name, agent)
    found = shutil.which(program, path=agent.env.get("PATH"))
    if found is None:
        install = f"; install it with `{adapter.package}`" if adapter and adapter.package else ""
        return Finding(Level.PROBLEM, f"agent {name}", f"{program} is not on PATH{install}")
    version = version_of([found, "--version"])
    if adapter and adapter.tested not in version:
        return Finding(Level.NOTE, f"agent {name}", f"{found} ({version}); tested with {adapter.tested}")
    return Finding(Level.OK, f"agent {name}", f"{found} ({version})")


def account_findings(name: str, config: Config) -> Iterator[Finding]:
    """The folder of each account must be there: the agent logs in once, by hand."""
    agent = config.agents.get(name)
    for account, login in agent.accounts.items() if agent else ():
        what = f"account {name}/{account}"
        place = next(iter(login.env.values()), "")  # its folder, if it has one
        if login.config is not None and not os.path.isdir(place):
            yield Finding(Level.WARNING, what, f"{place} does not exist: log in there first (docs/agents.md#accounts)")
        else:
            yield Finding(Level.OK, what, f"sets {', '.join(login.env)}")


def price_finding(name: str, config: Config) -> Iterator[Finding]:
    """Without the price of its model, no budget can be kept for an agent."""
    from nova_core.agents.pricing import default_prices
    from nova_core.launch.invocation import agent_named
    from nova_core.launch.model_prices import model_price

    agent = agent_named(config, name)
    if agent is None:
        return
    price = model_price(name, agent, None, {**default_prices(), **config.prices})
    level = Level.WARNING if config.budget is not None and not price.is_known else Level.NOTE
    if str(price):
        yield Finding(level, f"price {name}", f"{price}; see `prices:` in docs/configuration.md")


def version_of(command: list[str]) -> str:
    """The first line of a program's version output."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "version unknown"
    said = (done.stdout or done.stderr).decode("utf-8", "replace").strip().splitlines()
    return said[0][:100] if said and done.returncode == 0 else "version unknown"


def surroundings() -> Iterator[Finding]:
    """Check for things that may stop the engine before the run ends."""
    if "INVOCATION_ID" in os.environ:
        yield Finding(Level.NOTE, "systemd", "stopping the unit also stops workers, unless it has KillMode=process")
    if "TMUX" in os.environ or "STY" in os.environ:
        yield Finding(Level.NOTE, "terminal", "inside tmux or screen: the run survives a lost connection")
    elif "SSH_CONNECTION" in os.environ:
        yield Finding(
            Level.NOTE, "terminal", "over ssh: a lost connection stops the engine, not the workers; see --detach"
        )
