"""An agent without a model: finds in its prompt which files to write, and writes prepared answers to them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ANSWERS = {
    "wordcount.py": '''"""Counts words."""

import sys


def count(text):
    """How often each word occurs, in the order the words first appear."""
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


if __name__ == "__main__":
    for word, number in count(sys.stdin.read()).items():
        print(word, number, sep="\\t")
''',
    "test_wordcount.py": '''"""Tests of the word counter."""

import unittest

from wordcount import count


class CountTest(unittest.TestCase):
    def test_counts_in_order_of_appearance(self):
        self.assertEqual(list(count("a b a").items()), [("a", 2), ("b", 1)])

    def test_no_words(self):
        self.assertEqual(count("  "), {})
''',
    "MANUAL.md": "# wordcount\n\n    echo a b a | python3 wordcount.py\n",
    "REVIEW.md": "Good: small, tested.\nMissing: punctuation is taken for part of a word.\n",
}


def report(step: str, percent: int) -> None:
    """Report to Nova, if its command can be found, and to the log."""
    print(f"{percent:3} % {step}", flush=True)
    nova = shutil.which("nova")
    if nova:
        subprocess.run([nova, "report", "--step", step, "--percent", str(percent)], check=False)
    time.sleep(0.2)


def main(prompt: str) -> None:
    """Do the task that the prompt describes."""
    report("reading the task", 10)
    outputs = re.findall(r"^- (\S+)$", prompt.partition("# Outputs")[2].partition("# Criteria")[0], re.MULTILINE)
    for number, path in enumerate(outputs, 1):
        report(f"writing {path}", 10 + 80 * number // len(outputs))
        Path(path).write_text(ANSWERS[path], encoding="utf-8")
    print(f"Token usage: input={len(prompt) // 4}, output={sum(len(ANSWERS[path]) for path in outputs) // 4}")


if __name__ == "__main__":
    main(sys.argv[1])
