"""Which files a task will change, as far as its row or its text says. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from glob import has_magic

from nova_core.model import Task
from nova_core.parser.blocks import outside_fences

_PATH = re.compile(
    r"(?<![\w/.:@~$\\+-])(?P<tick>`?)(?P<path>(?:\.?[\w-][\w.+-]*/)*[\w.+-]*\w\.[A-Za-z]\w{0,9})(?![\w/(])(?P<end>`?)"
)
# A name without a folder counts with one of these ends only: `os.path` is no file.
_ENDS = frozenset(
    ("adoc", "astro", "bash", "c", "cc", "cfg", "clj", "cmake", "conf", "cpp", "cs", "css", "csv", "cxx", "dart",
     "ex", "exs", "go", "gradle", "graphql", "h", "hpp", "html", "hs", "ini", "ipynb", "java", "jl", "js", "json",
     "jsx", "kt", "less", "lock", "lua", "m", "md", "mdx", "mjs", "mk", "ml", "php", "pl", "po", "proto", "ps1",
     "py", "pyi", "r", "rb", "rs", "rst", "sass", "scala", "scss", "sh", "sql", "svelte", "swift", "tex", "tf",
     "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig")
)  # fmt: skip
# What is named after these words, or before those, is read or left alone.
_READS = re.compile(
    r"\b(?:read(?:s|ing)?|see|as (?:in|described)|like|follow(?:s|ing)?|accord\w*|based on|from|us(?:e|es|ing)|"
    r"import\w*|call(?:s|ing)?|tests?|described|documented|defined|specified|listed|not|never|without|except|unlike|"
    r"against|runs?|running|execut\w+|by|via|pars(?:e|es|ing)|load(?:s|ing)?|input|compar\w+|check(?:s|ing)?|"
    r"copy of|same as|modell?ed|similar|whose|per|don't|review\w*|look\w*|consult|reference\w*|both|than)\b",
    re.IGNORECASE,
)
_KEEPS = re.compile(
    r"\b(?:unchanged|untouched|alone|as it is|as they are|read-only|must not|is not|stays?)\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"[;:!?]|\.(?=\s|\Z)|,(?= (?:and|then|but)\b)|\b(?:and|then|but)\b|\n|<br>")
_SET = re.compile(r"\[!?[^]]+\]")
_DEEPEST = 40  # parts of a path
_NEAR = 200  # characters around a path that say what happens to it
_MOST = 200  # paths of one task's text
_LONGEST = 20_000  # characters of text


def touched(task: Task) -> tuple[str, ...]:
    """Paths and patterns of the files that the task will change, without `./`.

    Its `Files` and its outputs; an agent's task without `Files` also changes what its text names, unless the words
    around say that it is only read.
    """
    if task.gate or task.settled or task.tree:
        return ()
    own = task.outputs if not task.workspace else ()
    named = task.files or (() if task.command else tuple(named_in(f"{task.name}\n{task.description}\n{task.details}")))
    return tuple(dict.fromkeys(path for each in (*own, *named) if (path := _plain(each))))


def named_in(text: str) -> list[str]:
    """The files that a text says will be changed, at most 200; code blocks are left out."""
    lines = text[:_LONGEST].split("\n")
    found = dict.fromkeys(path for _, line in outside_fences(lines, 0) for path in _named_in_line(line))
    return list(found)[:_MOST]


def _named_in_line(line: str) -> Iterator[str]:
    for match in _PATH.finditer(line) if "." in line else ():
        path, ticked = match["path"], bool(match["tick"] and match["end"])
        end = path.rpartition(".")[2].casefold()
        if ".." in path or end not in _ENDS or not ("/" in path or ticked or path.islower()):
            continue
        before, after = line[max(0, match.start() - _NEAR) : match.start()], line[match.end() : match.end() + _NEAR]
        if "://" in before[before.rfind(" ") + 1 :]:
            continue
        clause = _CLAUSE.split(before)[-1]
        if not (_READS.search(clause) or _KEEPS.search(_CLAUSE.split(after)[0])):
            yield path


def meet(one: str, other: str) -> bool:
    """Returns True if a file can be meant by both: equal, one a folder above the other, or matched by patterns."""
    return one == other or _can_be_equal(_parts(one), _parts(other), "**", _names_meet)


@lru_cache(10_000)
def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path; one that can be a folder is followed by all that is in it."""
    parts = tuple(_SET.sub("?", part)[:255] for part in path.split("/"))[:_DEEPEST]
    return parts if has_magic(parts[-1]) else (*parts, "**")


@lru_cache(10_000)
def _names_meet(one: str, other: str) -> bool:
    """Returns True if a name exists that both patterns match."""
    if not has_magic(one + other):
        return one == other
    return _can_be_equal(one, other, "*", lambda a, b: a == b or "?" in (a, b))


def _can_be_equal(one: Sequence[str], other: Sequence[str], any_number: str, same: Callable[[str, str], bool]) -> bool:
    """Returns True if both sequences of items can stand for the same; `any_number` is the item that stands for any
    number of others. Fills a table of which heads of both can be equal."""
    row = [True]
    for b in other:
        row.append(row[-1] and b == any_number)
    for a in one:
        above, row = row, [row[0] and a == any_number]
        for j, b in enumerate(other):
            if any_number in (a, b):
                row.append(above[j + 1] or row[j])
            else:
                row.append(above[j] and same(a, b))
    return row[-1]


def _plain(path: str) -> str:
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path.rstrip("/")
