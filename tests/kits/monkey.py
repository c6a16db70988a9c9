"""Random input: keys, bursts of keys, pastes, the mouse, broken sequences, sizes of the window, edits of a plan."""

from __future__ import annotations

import random
import re

# Not q, ctrl+q, ctrl+c and |: they leave, or start a pager.
KEYS = [
    *"jkgGhl/nNfLtdeS$wrsxXaRp+-yYc[]0!?:CbBo=zJKM1239iv", "\r", "\x1b", "\x1b", "\x1b", "\t", "\x1b[Z", "\x7f", " ",
    "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "é", "漢", "\x1b[27u", "\x1bj",
    "\x10", "\x15",
]  # fmt: skip
PALETTE = [
    ":",
    ":",
    "\x10",
    "\x1b",
    "\x1b",
    "\r",
    "\x1b[A",
    "\x1b[B",
    "\x1b[5~",
    "\x1b[6~",
    *"aetLjR/",
    "\x7f",
    "?",
    "go b",
]
BROKEN = [
    b"\xe9", b"\xff\xfe", b"\xc3", b"\x9b", b"\x1b[M", b"\x1b[M \xc8\xc8", b"\x1b[M#\xff\xff", b"\x1b[<0;999;999M",
    b"\x1b[<64;-5;3M", b"\x1b[", b"\x1bO", b"\x1b]11;rgb:1/2/3\x07", b"\x1bP>|x\x1b\\", b"\x1b[99999999999u",
    b"\x1b[?1;2c",
    b"\x1b[48;1;1;0;0t", b"\x1b[I\x1b[O", b"\x1b[201~", b"\x1b[200~pasted \xe9\nline\x1b[201~", b"\0", b"\x1b[5;5R",
]  # fmt: skip
SIZES = [(20, 5), (40, 10), (60, 16), (80, 24), (100, 30), (120, 40), (160, 50)]


class Monkey:
    """What to do next; the same seed does the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._keys = PALETTE if seed % 3 == 2 else KEYS
        self.done: list[object] = []

    def chance(self, share: float) -> bool:
        """Returns True in this share of all calls."""
        return self._random.random() < share

    def keys(self) -> list[str]:
        """One key, or some that arrive together."""
        found = self._random.choices(self._keys, k=self._random.choice((1, 1, 1, 2, 3, 6)))
        self.done += found
        return found

    def packet(self) -> bytes:
        """Bytes that a terminal may send at once."""
        if self.chance(0.15):
            self.done.append(broken := self._random.choice(BROKEN))
            return broken
        if self.chance(0.1):
            report = f"\x1b[<{self._random.choice((0, 2, 32, 35, 64, 65))};{self.number(99)};{self.number(30)}"
            return f"{report}M{report}m".encode()
        return "".join(self.keys()).encode()

    def number(self, most: int) -> int:
        """From 1 to `most`."""
        return self._random.randint(1, most)

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        self.done.append(size := self._random.choice(SIZES))
        return size

    def edited(self, plan: str) -> str:
        """The plan without a task, with another name for one, or as it is; what depends on it, depends on nothing."""
        self.done.append("edit")
        ids = re.findall(r"^\| (\w+) \|", plan, re.MULTILINE)[1:]
        task_id = self._random.choice([i for i in ids if i != "Task"])
        match self._random.randrange(3):
            case 0:
                return plan
            case 1:
                plan = re.sub(rf"^\| {task_id} \|.*\n", "", plan, flags=re.MULTILINE)
            case _:
                plan = re.sub(rf"^\| {task_id} \|", f"| {task_id}x |", plan, flags=re.MULTILINE)
        return re.sub(rf"\b{task_id}\b(?=[^|]*\|[^|]*$)", "-", plan, flags=re.MULTILINE)
