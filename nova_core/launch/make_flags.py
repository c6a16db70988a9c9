"""The part of `MAKEFLAGS` that passes on a jobserver, the pool of job slots of GNU make. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# cargo passes its own on to build scripts by the last name, and reads it first.
NAMES = ("MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS")
_AUTH = ("--jobserver-auth=", "--jobserver-fds=")  # the second until make 4.1


def auth_of(environ: Mapping[str, str]) -> str | None:
    """How to reach the jobserver: `fifo:PATH`, or `R,W` for two open descriptors; None without a jobserver."""
    found = None
    for name in NAMES:
        for word in _options(environ.get(name, ""))[0]:
            for prefix in _AUTH:
                if word.startswith(prefix):
                    found = word[len(prefix) :]  # the last one counts
        if found is not None:
            return found
    return None


def without_jobserver(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without what belongs to a jobserver; those without one stay as they are (`MAKEFLAGS=-j8`)."""
    kept = dict(environ)
    for name in NAMES:
        options, variables = _options(environ.get(name, ""))
        if not any(map(_is_auth, options)):
            continue
        left = [word for word in options if not (_is_auth(word) or _is_jobs(word))]
        if left or variables:
            kept[name] = " ".join([*_dashed(left, name, environ), *variables])
        else:
            del kept[name]
    return kept


def with_jobserver(environ: Mapping[str, str], auth: str, jobs: int) -> dict[str, str]:
    """The variables with this jobserver of `jobs` slots in place of any other."""
    changed = without_jobserver(environ)
    options, variables = _options(changed.get("MAKEFLAGS", ""))
    own = [word for word in options if not _is_jobs(word)]
    # A first word without a dash would be read as a group of one-letter options.
    changed["MAKEFLAGS"] = " ".join([*own, f"-j{jobs}", f"{_AUTH[0]}{auth}", *variables])
    return changed


def _options(flags: str) -> tuple[list[str], list[str]]:
    """The options, and from `--` on the variables of the command line, as words."""
    words = flags.split()
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at:]


def _dashed(options: list[str], name: str, environ: Mapping[str, str]) -> list[str]:
    """The options; a leading space shows that make's first word, of letters without a dash, was not there."""
    return ["", *options] if environ[name].startswith(" ") else options


def _is_auth(word: str) -> bool:
    return word.startswith(_AUTH)


def _is_jobs(word: str) -> bool:
    return word == "-j" or (word.startswith("-j") and word[2:].isdigit()) or word.startswith("--jobs")
