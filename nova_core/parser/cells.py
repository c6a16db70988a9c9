"""Splits table rows into cells, and removes Markdown formatting from text."""

from __future__ import annotations

from collections.abc import Iterator

MAX_CELLS = 64
_PIPE = "\0"  # replaces an escaped pipe; a plan with NUL characters is rejected earlier
_WRAPPERS = ("**", "~~", "*", "__")
NOTHING = frozenset(
    ("", "-", "--", "---", "–", "—", "−", "none", "none.", "nothing", "nothing.", "n/a", "na", "nil", "null", "no",
     "no dependencies", "(none)", "[none]", "∅")
)  # fmt: skip


def is_nothing(cell: str) -> bool:
    """Returns True if a cell means "nothing": empty, a dash, `None`, `n/a`, in any case or formatting."""
    return cell in NOTHING or (len(cell) < 32 and undecorated(cell).casefold() in NOTHING)


def split_row(line: str) -> list[str]:
    r"""The cells of a row, not stripped, with `\|` turned into `|`; of more than `MAX_CELLS`, only one more is kept.

    As in GFM, a pipe splits unless a backslash is directly before it, also inside a code span.
    """
    text = line.strip()
    if "\\|" in text:
        pieces = text.replace("\\|", _PIPE).split("|", MAX_CELLS + 1)
        cells = [piece.replace(_PIPE, "|") for piece in pieces]
    else:
        cells = text.split("|", MAX_CELLS + 1)
    if not cells[0]:
        del cells[0]
    if cells and not cells[-1]:
        del cells[-1]
    return cells


def join_code_spans(cells: list[str]) -> list[str]:
    """The cells, with those joined that an unescaped pipe inside a code span split."""
    joined: list[str] = []
    parts: list[str] = []
    ticks = 0
    for cell in cells:
        parts.append(cell)
        ticks += cell.count("`")
        if ticks % 2 == 0:
            joined.append("|".join(parts))
            parts, ticks = [], 0
    return joined + parts


def spans(text: str) -> Iterator[tuple[str, bool]]:
    """Pieces of `text` in order, each with True if it is a code span (with its backticks)."""
    if is_one_span(text):
        yield text, True
        return
    at, done = 0, 0
    lengths = _tick_runs(text)
    while (start := text.find("`", at)) >= 0:
        length = _run(text, start)
        close = lengths.get(length, [])
        while close and close[-1] <= start:
            close.pop()
        at = start + length
        if close:
            at = close[-1] + length
            if start > done:
                yield text[done:start], False
            yield text[start:at], True
            done = at
    if done < len(text):
        yield text[done:], False


def is_one_span(text: str) -> bool:
    """Returns True for a common code span, one backtick at each end: this check saves a third of the reading time."""
    return text.count("`") == 2 and text[0] == "`" == text[-1] and len(text) > 2


def _run(text: str, start: int) -> int:
    end = start
    while text[end : end + 1] == "`":
        end += 1
    return end - start


def _tick_runs(text: str) -> dict[int, list[int]]:
    """Positions of backtick runs, last first, by length: a span closes with a run as long as its opening."""
    runs: dict[int, list[int]] = {}
    at = text.find("`")
    while at >= 0:
        length = _run(text, at)
        runs.setdefault(length, []).append(at)
        at = text.find("`", at + length)
    for starts in runs.values():
        starts.reverse()
    return runs


def code_of(span: str) -> str:
    """The content of a code span: without its backticks, and without the space of padding GFM removes at each side."""
    ticks = len(span) - len(span.lstrip("`"))
    code = span[ticks : len(span) - ticks]
    padded = len(code) > 1 and code[0] == " " == code[-1] and code.strip(" ")
    return code[1:-1] if padded else code


def split_outside_code(text: str, separators: tuple[str, ...]) -> list[str]:
    """The stripped, non-empty pieces of `text` between separators outside of code spans."""
    marked = []
    for piece, is_code in spans(text):
        if not is_code:
            for separator in separators:
                piece = piece.replace(separator, _PIPE)
        marked.append(piece)
    return [part for part in (p.strip() for p in "".join(marked).split(_PIPE)) if part]


def without_comments(row: str) -> str:
    """`row` without its `<!-- -->`, except in code spans."""
    return "".join(piece if is_code else _drop_between(piece, "<!--", "-->") for piece, is_code in spans(row))


def without_remarks(text: str) -> str:
    """`text` without remarks in parentheses."""
    kept, depth, done = [], 0, 0
    for at, char in enumerate(text):
        if char == "(":
            if not depth:
                kept.append(text[done:at])
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            done = at + 1
    return text if depth else "".join([*kept, text[done:]])


def without_struck(text: str) -> str:
    """`text` without what is struck through: `~~F2~~`."""
    if text.count("~~") < 2:
        return text
    pieces = text.split("~~")
    return " ".join([*pieces[: len(pieces) - 1 : 2], *([pieces[-1]] if len(pieces) % 2 else ["~~" + pieces[-1]])])


def undecorated(text: str) -> str:
    """`text` without emphasis, code, strike-through or a link around it, and with `\\#` turned into `#`."""
    text = text.strip()
    if len(text) < 2 or (text[0].isalnum() and text[-1].isalnum() and "\\" not in text):
        return text
    for _ in range(8):
        bare = _unwrapped(text)
        if bare == text:
            break
        text = bare
    return unescaped(text)


def unescaped(text: str) -> str:
    r"""`text` with `\x` turned into `x` for every ASCII punctuation mark, as Markdown shows it."""
    if "\\" not in text:
        return text
    pieces = text.split("\\")
    out = [pieces[0]]
    for piece in pieces[1:]:
        plain = piece and piece[0].isascii() and not piece[0].isalnum() and not piece[0].isspace()
        out.append(piece if plain else "\\" + piece)
    return "".join(out)


def without_links(text: str) -> str:
    """`text` with every `[label](target)` replaced by `label`."""
    out, done = [], 0
    while (middle := text.find("](", done)) >= 0:
        start, end = text.rfind("[", done, middle), text.find(")", middle)
        if end < 0:
            break
        if start < 0:
            out.append(text[done : end + 1])
        else:
            out += [text[done:start], text[start + 1 : middle]]
        done = end + 1
    return "".join([*out, text[done:]])


def _unwrapped(text: str) -> str:
    if text[:1] == "`" and text[-1:] == "`" and text.strip("`"):
        return text.strip("`").strip()
    for mark in _WRAPPERS:
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return text[len(mark) : -len(mark)].strip()
    if text[:1] == "[" and text[-1:] == ")" and text.find("](") == text.find("]") > 0:
        return text[1 : text.find("](")].strip()
    return text


def _drop_between(text: str, start: str, end: str) -> str:
    out, done = [], 0
    while (at := text.find(start, done)) >= 0:
        close = text.find(end, at + len(start))
        if close < 0:
            break
        out.append(text[done:at])
        done = close + len(end)
    return "".join([*out, text[done:]])
