"""`nova parse-log` reads a log as the engine does, for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from captured import FOLDER, SERVED, path_of, read
from cli_process import nova


def test_json_has_the_documented_keys(tmp_path: Path) -> None:
    """One object with the outcome of a log."""
    done = nova(
        "parse-log", "--agent", "claude", str(path_of("claude/tool")), "--exit-code", "0", "--json", cwd=tmp_path
    )
    found = json.loads(done.stdout)
    assert list(found) == [
        "verdict", "reason", "token_usage", "estimated", "cost_usd", "cost_basis", "model", "session_id", "final_text",
        "files_changed", "steps",
    ]  # fmt: skip
    assert found["token_usage"] == {
        "input_tokens": 606, "output_tokens": 66, "cache_read_tokens": 9000, "cache_creation_tokens": 2450,
    }  # fmt: skip
    assert (found["verdict"], found["cost_usd"], done.returncode) == ("done", 0.017794, 0)


@pytest.mark.parametrize("case", ["claude/err429-r2", "codex/err401", "gemini/sigTERMgroup", "opencode/outside"])
def test_it_says_what_the_engine_says(case: str, tmp_path: Path) -> None:
    """The command adds nothing of its own to the outcome."""
    code = str(SERVED[case]["exit_code"])
    done = nova("parse-log", "-a", case.partition("/")[0], str(path_of(case)), "-e", code, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["verdict"] == read(case).verdict
    assert json.loads(done.stdout)["reason"] == read(case).reason


def test_a_resumed_session_needs_the_log_before_it(tmp_path: Path) -> None:
    """`--after` subtracts what the earlier run of the session used."""
    logs = [str(FOLDER / "codex" / f"{name}.jsonl") for name in ("resume", "tool")]
    done = nova("parse-log", "-a", "codex", logs[0], "--after", logs[1], "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["token_usage"]["input_tokens"] == 101


def test_people_get_lines(tmp_path: Path) -> None:
    """Without --json each fact has a line, and nothing from the log acts on the terminal."""
    log = tmp_path / "evil.log"
    log.write_text('{"type":"result","subtype":"success","is_error":false,"result":"\\u001b[2Jgone","modelUsage":{}}\n')
    done = nova("parse-log", "--agent", "claude", str(log), cwd=tmp_path)
    assert "verdict:  " in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--agent", "claude", "none.log"), 3, "there is no such log"),
        (("--agent", "cluade", "none.log"), 2, "choose one of claude"),
        (("--agent", "claude", "."), 2, "cannot read"),
        (("none.log",), 2, "--agent"),
    ],
)
def test_mistakes_are_reported_in_one_line(arguments: tuple[str, ...], code: int, words: str, tmp_path: Path) -> None:
    """A wrong name, a missing file, a folder, no agent."""
    done = nova("parse-log", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
