"""A patch of git's as files and lines: whatever is in it, nothing of it reaches a terminal as more than text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.runs.patch import Kind, name_in, read_patch

PATCH = """\
diff --git a/src/a.py b/src/a.py
index 83db48f..bf269f4 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,3 @@ def f():
 one
--- two
+++ three
 four
diff --git a/new file.txt b/new file.txt
new file mode 100644
index 0000000..83db48f
--- /dev/null
+++ b/new file.txt\t
@@ -0,0 +1 @@
+diff --git a/x b/x
\\ No newline at end of file
diff --git a/gone b/gone
deleted file mode 100644
index 83db48f..0000000
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/old.py b/new.py
similarity index 100%
rename from old.py
rename to new.py
diff --git a/i.png b/i.png
index 83db48f..bf269f4 100644
Binary files a/i.png and b/i.png differ
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git "a/\\303\\244\\t.txt" "b/\\303\\244\\t.txt"
index 83db48f..bf269f4 100644
--- "a/\\303\\244\\t.txt"
+++ "b/\\303\\244\\t.txt"
@@ -1 +1 @@
-a
+b
"""


def test_files_and_counts() -> None:
    """Each file with its name, what happened to it and its lines; texts that look like headers are no headers."""
    found = [(file.label, file.counts) for file in read_patch(PATCH).files]
    assert found == [
        ("src/a.py", "+1 -1"),
        ("new file.txt (new)", "+1 -0"),
        ("gone (deleted)", "+0 -1"),
        ("new.py (renamed from old.py)", "+0 -0"),
        ("i.png", "binary"),
        ("run.sh (mode)", "+0 -0"),
        ("\u00e4 .txt", "+1 -1"),
    ]
    assert read_patch(PATCH).total() == "7 files changed, +3 -3"


def test_lines() -> None:
    """Every line is there, of the right kind, and a file knows where it begins."""
    patch = read_patch(PATCH)
    assert [line.kind for line in patch.lines[:9]] == [
        Kind.FILE, Kind.HEAD, Kind.HEAD, Kind.HEAD, Kind.HUNK, Kind.SAME, Kind.REMOVED, Kind.ADDED, Kind.SAME,
    ]  # fmt: skip
    assert len(patch.lines) == PATCH.count("\n")
    assert [patch.lines[file.at].kind for file in patch.files] == [Kind.FILE] * 7


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a/x y", "x y"),
        ('"a/\\"q\\" \\\\.txt"', '"q" \\.txt'),
        ('"b/\\033[2J"', "?"),
        ('"b/\\033[2Jx"', "x"),
        ('"a/\\377"', "\ufffd"),
        ("/dev/null", "/dev/null"),
    ],
)
def test_names(written: str, name: str) -> None:
    """Quoted names are read, controls in them are not kept."""
    assert name_in(written, prefix=True).startswith(name[:1])
    assert name_in(written, prefix=True).isprintable()


def test_long_lines_are_cut() -> None:
    """A line of a megabyte is shown by its head."""
    (line,) = read_patch("+" + "x" * 1_000_000).lines
    assert line.text.endswith("(998,001 more characters)")


@given(st.text(st.sampled_from('+-@ \\\n\x1bd,1iff"abc/[m\x9b'), max_size=300))
def test_any_text_is_safe(text: str) -> None:
    """Whatever is read, each line is one clean line."""
    patch = read_patch(f"diff --git a/x b/x\n@@ -1,2 +1,2 @@\n{text}")
    assert all(line.text.replace("\t", "").isprintable() for line in patch.lines)
    assert all(file.path.isprintable() for file in patch.files)
