"""What workers see of the job slots of GNU make."""

from __future__ import annotations

import pytest

from nova_core.launch.make_flags import auth_of, with_jobserver, without_jobserver

FLAGS = [
    # MAKEFLAGS, the jobserver, what is left without it
    ("", None, ""),
    ("-j8", None, "-j8"),
    ("k", None, "k"),
    (" -j4 --jobserver-auth=3,4", "3,4", None),
    ("w -j4 --jobserver-auth=3,4", "3,4", "w"),
    ("ks -j --jobserver-fds=3,4 -- A=1 B=--jobserver-auth=9,9", "3,4", "ks -- A=1 B=--jobserver-auth=9,9"),
    (" -j16 --jobserver-auth=fifo:/tmp/GMfifo12", "fifo:/tmp/GMfifo12", None),
    (" --no-print-directory -j2 --jobserver-auth=3,4", "3,4", " --no-print-directory"),
    (" --jobserver-auth=3,4 --jobserver-auth=5,6", "5,6", None),
]


@pytest.mark.parametrize(("flags", "auth", "left"), FLAGS)
def test_a_jobserver_is_found_and_removed(flags: str, auth: str | None, left: str | None) -> None:
    """Other flags, and those of a user without a jobserver, stay as they are."""
    environ = {"MAKEFLAGS": flags, "HOME": "/"}
    assert auth_of(environ) == auth
    assert without_jobserver(environ) == {"HOME": "/", **({} if left is None else {"MAKEFLAGS": left})}


@pytest.mark.parametrize("name", ["MFLAGS", "CARGO_MAKEFLAGS"])
def test_the_other_names_are_known_too(name: str) -> None:
    """Make passes the flags on by two names, and cargo by one of its own."""
    assert auth_of({name: "-j4 --jobserver-auth=3,4"}) == "3,4"
    assert without_jobserver({name: "-j4 --jobserver-auth=3,4"}) == {}


@pytest.mark.parametrize(("flags", "auth", "left"), FLAGS)
def test_a_jobserver_takes_the_place_of_another(flags: str, auth: str | None, left: str | None) -> None:
    """Its number of slots is the one that counts."""
    changed = with_jobserver({"MAKEFLAGS": flags}, "fifo:/x", 3)
    assert auth_of(changed) == "fifo:/x"
    assert "-j3 --jobserver-auth=fifo:/x" in changed["MAKEFLAGS"]
    words = changed["MAKEFLAGS"].partition(" -- ")[0].split()
    assert sum(word.startswith(("-j", "--jobserver")) for word in words) == 2
