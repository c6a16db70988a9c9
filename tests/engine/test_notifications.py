"""Notifications: tried again, never lost at the end, never in the way, without secrets and control characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine
from fakes import exits
from web_server import web_server

from nova_core.config import Config, load_config
from nova_core.config.hooks import NotifyConfig
from nova_core.engine.observers import notifications
from nova_core.engine.observers.hook_data import HookData, RunWords, TaskWords
from nova_core.engine.observers.notifications import Notifications, payload, secrets_of
from nova_core.errors import InputError
from nova_core.holder.webhook import AGAIN, REJECTED, post
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus

ANSWERS = [
    (200, 0, "the server answered 200", 0.0),
    (204, 0, "the server answered 204", 0.0),
    (302, REJECTED, "the server answered 302: redirects are not followed", 0.0),
    (307, REJECTED, "the server answered 307: redirects are not followed", 0.0),
    (404, REJECTED, "the server answered 404", 0.0),
    (429, AGAIN, "the server answered 429", 7.0),
    (500, AGAIN, "the server answered 500", 0.0),
    (503, AGAIN, "the server answered 503", 0.0),
    ("broken", AGAIN, "no answer in HTTP: BadStatusLine", 0.0),
]  # fmt: skip


def test_a_post_says_whether_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the status alone: nothing else of what the server sends is repeated, and nobody is redirected."""
    monkeypatch.setenv("no_proxy", "*")
    with web_server(*(answer for answer, *_ in ANSWERS)) as server:
        for answer, *expected in ANSWERS:
            assert list(post(f"{server.address}/x", b"data", "text/plain", 30.0)) == expected, answer
        assert [path for path, *_ in server.got] == ["/x"] * len(ANSWERS)
        address = server.address
    with web_server("silent") as silent:
        assert post(f"{silent.address}/x", b"data", "text/plain", 0.1)[0] == AGAIN
    assert post(f"{address}/x", b"", "text/plain", 5.0)[:2] == (AGAIN, "no answer: Connection refused")
    assert post("http://[::1:80/x", b"", "text/plain", 5.0)[0] == REJECTED


def notified(folder: Path, **settings: Any) -> tuple[Orchestrator, list[str]]:
    """An engine on fake tasks, of which A fails; and its warnings."""
    config = Config(notify=NotifyConfig(**settings))
    engine, _ = make_engine(
        folder, [("A", "-"), ("B", "A")], config=config,
        outcome=lambda job: exits(3 if job.key.startswith("A@") else 0)(job),
    )  # fmt: skip
    warnings: list[str] = []

    def see(event: Event) -> None:
        if event.kind is EventKind.WARNING:
            warnings.append(event.message)

    engine.subscribe(see)
    return engine, warnings


def test_events_arrive_in_order_also_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that fails twice gets each event once more, in order; the run waits for the end; the log has no
    address."""
    monkeypatch.setattr(notifications, "_WAITS", (0.0,))
    monkeypatch.setenv("no_proxy", "*")
    with web_server(500, 425, "broken", 200) as server:
        monkeypatch.setenv("CHAT", f"{server.address}/s3cret-path")
        engine, warnings = notified(
            tmp_path, webhook=("$CHAT",), command=("cat >> heard", "exit 7"), on=("failed", "finished"), timeout=60.0
        )
        engine.run()
        bodies = [json.loads(body) for _, _, body in server.got]
    # 500, then 425 and what is no HTTP are retried
    assert [body["event"] for body in bodies] == ["failed", "failed", "failed", "failed", "finished"]
    assert bodies[-1]["text"].startswith("Test plan: 0/2 done")
    assert bodies[0]["task"]["id"] == "A"
    assert {kind for _, kind, _ in server.got} == {"application/json"}
    assert [json.loads(line)["event"] for line in (tmp_path / "heard").read_text().splitlines()] == [
        "failed",
        "finished",
    ]
    assert warnings == [
        f"the notification for {event} failed with exit code 7: exit 7 (see .nova/hooks.log)"
        for event in ("failed A", "finished")
    ]
    log = (tmp_path / ".nova" / "hooks.log").read_bytes()
    assert b"the server answered 500" in log
    assert b"s3cret" not in log
    assert b"owned" not in log


def test_a_dead_or_slow_server_delays_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run does its work meanwhile, ends, and says once what was not sent, without the address."""
    monkeypatch.setattr(notifications, "_WAITS", (0.0,))
    monkeypatch.setattr(Notifications, "_patience", 300.0)
    monkeypatch.setenv("no_proxy", "*")
    with web_server("silent") as server:
        engine, warnings = notified(
            tmp_path, webhook=(f"{server.address}/s3cret", "$NOWHERE"), on=("started",), retries=1, timeout=1.0
        )  # fmt: skip
        ended_before: list[int] = []
        engine.subscribe(lambda event: ended_before.append(len(warnings)) if event.task == "A" else None)
        engine.run()
    assert engine.store.tasks["A"].status is TaskStatus.FAILED
    assert set(ended_before) == {0}
    assert sorted(warnings) == [
        "the notification for started was not accepted after 2 tries: webhook of 127.0.0.1 (see .nova/hooks.log)",
        "the notification for started was not sent: its variable is not set or holds no address: webhook $NOWHERE"
        " (see .nova/hooks.log)",
    ]


def test_what_is_sent_has_no_secret_no_control_and_calls_nobody() -> None:
    """Secrets of the environment, escape sequences, mentions of chats: in every text of the payload."""
    secrets = secrets_of({"API_TOKEN": "tok-12345678", "HOME": "/home/me", "DB_PASSWORD": "short"}, ["http://x/y"])
    assert secrets == ("tok-12345678", "http://x/y")
    task = TaskWords(
        "A", "n\x1b[31mame", TaskStatus.FAILED, None, "used tok-\x1b[0m12345678", 1, 1.0, None, None, None, None
    )
    run = RunWords("r", "@everyone <!channel>", "p", "/r")
    data = HookData("failed", "now", "A failed\x07: http://x/y <@U1>", run, task, blocked=("\x9b2J",))
    found = payload(data, secrets)
    assert found["text"] == "@ everyone < !channel>: A failed\ufffd: *** < @U1>"
    assert found["task"]["error"] == "used ***"
    assert found["task"]["name"] == "name"
    assert found["allowed_mentions"] == {"parse": []}
    text = json.dumps(found, ensure_ascii=False)
    assert text.isprintable()
    assert not any(secret in text for secret in secrets)


def test_settings_are_checked(tmp_path: Path) -> None:
    """A wrong event is named, a wrong address is not repeated."""
    path = tmp_path / "nova.yaml"
    path.write_text("notify: {webhook: 'https://example.org/x', on: [waiting, asked], format: text, retries: 0}\n")
    found = load_config(path, environ={}).notify
    assert (found.webhook, found.on, found.retries) == (("https://example.org/x",), ("waiting", "asked"), 0)
    path.write_text("notify:\n  webhook: ftp://s3cret\n  on: [waitin]\n")
    with pytest.raises(InputError) as caught:
        load_config(path, environ={})
    told = "\n".join(f"{problem.place}: {problem.message} {problem.hint}" for problem in caught.value.problems)
    assert "nova.yaml:2: notify.webhook: must be an address such as https://example.org/x" in told
    assert "did you mean `waiting`?" in told
    assert "s3cret" not in told
