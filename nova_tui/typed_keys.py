"""The bytes that a terminal sends for a key, as xterm does. Pure."""

from __future__ import annotations

_LETTERS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
_FUNCTIONS = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
_NUMBERS = {
    "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20, "f10": 21,
    "f11": 23, "f12": 24,
}  # fmt: skip
_PLAIN = {"enter": "\r", "return": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " "}
_CONTROLS = {
    "at": "\0", "space": "\0", "left_square_bracket": "\x1b", "backslash": "\x1c", "right_square_bracket": "\x1d",
    "circumflex_accent": "\x1e", "underscore": "\x1f", "question_mark": "\x7f", "backspace": "\x08", "enter": "\r",
    "@": "\0", "[": "\x1b", "\\": "\x1c", "]": "\x1d", "^": "\x1e", "_": "\x1f",
}  # fmt: skip
_SHIFT, _ALT, _CTRL = 1, 2, 4
_HELD = {"shift": _SHIFT, "alt": _ALT, "meta": _ALT, "ctrl": _CTRL}


def bytes_of(key: str, character: str | None, *, application: bool = False) -> bytes:
    """The bytes of a key, given its name (`ctrl+left`) and its character if it has one; empty for an unknown key.

    `application` is the mode of the arrow keys (DECCKM).
    """
    *held, name = key.split("+") if key != "+" else ["+"]
    mask = sum({_HELD.get(word, 0) for word in held})
    if found := _sequence(name, mask, application):
        return found.encode()
    if character is not None and len(character) == 1 and (character.isprintable() or not mask & _CTRL):
        return ("\x1b" * bool(mask & _ALT) + character).encode("utf-8", "replace")
    text = _text(name, mask) or (character or "")
    return ("\x1b" * bool(text and mask & _ALT) + text).encode("utf-8", "replace")


def _sequence(name: str, mask: int, application: bool) -> str:
    modified = f";{mask + 1}" if mask else ""
    if name in _LETTERS or name in _FUNCTIONS:
        letter = _LETTERS.get(name) or _FUNCTIONS[name]
        if mask:
            return f"\x1b[1{modified}{letter}"
        return f"\x1b{'O' if application or name in _FUNCTIONS else '['}{letter}"
    if name in _NUMBERS:
        return f"\x1b[{_NUMBERS[name]}{modified}~"
    return "\x1b[Z" if name == "tab" and mask & _SHIFT else ""


def _text(name: str, mask: int) -> str:
    if not mask & _CTRL:
        return _PLAIN.get(name, "")
    if len(name) == 1 and "a" <= name.lower() <= "z":
        return chr(ord(name.lower()) & 31)
    return _CONTROLS.get(name, _PLAIN.get(name, ""))


def pasted(text: str, *, bracketed: bool) -> bytes:
    """The bytes of a pasted text; `bracketed` if the program wants a mark at both ends (mode 2004)."""
    data = text.replace("\r\n", "\r").replace("\n", "\r").encode("utf-8", "replace")
    if not bracketed:
        return data
    end = b"\x1b[201~"
    while end in data:  # the text must not end the paste itself
        data = data.replace(end, b"")
    return b"\x1b[200~" + data + end
