"""Notifications: events of the run for people elsewhere, by a command or a webhook, with retries."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nova_core.config.hooks import NotifyConfig
from nova_core.engine.observers.hook_data import MOST, HookData, variables
from nova_core.engine.observers.reporting import MARGIN, ROOT, Reporting, Target
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.state.store import Store
from nova_core.text import clean, head_and_tail

_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds before each further try
_SECRET = re.compile(r"key|token|secret|passw|credential|webhook", re.IGNORECASE)
_SHORTEST_SECRET = 8  # characters; shorter values would be found in ordinary words
# `<!channel>` and `<@U1>` of Slack, `@everyone` of Discord and others: nobody is called by the name of a task.
_CALLS = re.compile(r"<(?=[!@#/A-Za-z])|@(?=everyone\b|here\b|channel\b|all\b)", re.IGNORECASE)
_HIDDEN = "***"
_ADDRESS = re.compile(r"https?://[!-~]+")


def secrets_of(environ: Mapping[str, str], own: Iterable[str] = ()) -> tuple[str, ...]:
    """Returns the values of variables whose names say that they are secret, and `own` ones, the longest first."""
    found = {value for name, value in environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET}
    return tuple(sorted({*found, *own}, key=len, reverse=True))


def safe(text: str, secrets: Iterable[str], limit: int = MOST) -> str:
    """Returns one line of text without control characters and without the secrets, cut to `limit` characters."""
    text = clean(text)
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return head_and_tail(text, limit)


def payload(data: HookData, secrets: Iterable[str]) -> dict[str, Any]:
    """Returns the event as a webhook gets it: `text` (Slack, Mattermost), `content` (Discord), and all its data."""
    said = _CALLS.sub(lambda match: f"{match[0]} ", line_of(data, secrets))
    found: dict[str, Any] = _each(msgspec.to_builtins(data), tuple(secrets))
    return {"text": said, "content": head_and_tail(said, 2000), "allowed_mentions": {"parse": []}, **found}


def line_of(data: HookData, secrets: Iterable[str]) -> str:
    """Returns the event in one line, with the name of the project."""
    message = data.message if data.event == "finished" else f"{data.run.name}: {data.message}"
    return safe(message, secrets)


def _each(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return safe(value, secrets)
    if isinstance(value, Mapping):
        return {key: _each(item, secrets) for key, item in value.items()}
    return [_each(item, secrets) for item in value] if isinstance(value, list | tuple) else value


class Notifications(Reporting):
    """Sends the events of `on` to every command and webhook; what fails is retried, and then reported."""

    KIND = "notification"

    def __init__(self, project: Project, cascade: Cascade, store: Store, config: NotifyConfig) -> None:
        super().__init__(project, cascade, store, config.timeout)
        self._config = config
        self._all = (
            *(Target(line, clean(head_and_tail(line, 60))) for line in config.command),
            *(self._webhook(text) for text in config.webhook),
        )
        own = [target.variables["NOVA_WEBHOOK"] for target in self._all if target.variables.get("NOVA_WEBHOOK")]
        self._secrets = secrets_of(os.environ, own)

    def _webhook(self, text: str) -> Target:
        """A target that posts. Its address is in a variable: those of a process are its owner's, its words are not."""
        address = os.environ.get(text[1:], "") if text.startswith("$") else text
        kind = "application/json" if self._config.format == "json" else "text/plain; charset=utf-8"
        given = {"NOVA_WEBHOOK": address, "NOVA_WEBHOOK_TYPE": kind, "NOVA_WEBHOOK_TIMEOUT": str(self._timeout)}
        name = f"webhook {text}" if text.startswith("$") else f"webhook of {clean(_host(text))}"
        return Target(text, name, given)

    def _targets(self, name: str) -> tuple[Target, ...]:
        return self._all if name in self._config.on else ()

    @property
    def _patience(self) -> float:
        waits = sum(_pause(number) for number in range(self._config.retries))
        return (self._timeout + MARGIN) * (self._config.retries + 1) + waits

    def _deliver(self, target: Target, data: HookData, about: str) -> str:
        from nova_core.holder.webhook import REJECTED

        if target.variables and not _ADDRESS.fullmatch(target.variables["NOVA_WEBHOOK"]):
            return "was not sent: its variable is not set or holds no address"
        code = tries = 0
        while tries <= self._config.retries:
            code, tries = self._try(target, data, about), tries + 1
            if not code or (target.variables and code == REJECTED):
                break
            if tries <= self._config.retries and self._is_over.wait(_pause(tries - 1)):
                break
        if not code or not target.variables:
            return self._said(code)
        return f"was not accepted after {tries} tries" if tries > 1 else "was not accepted"

    def _try(self, target: Target, data: HookData, about: str) -> int:
        """Try once; returns the exit code."""
        from nova_core.holder.webhook import CODE

        found = payload(data, self._secrets)
        if not target.variables:
            told = {name: safe(value, self._secrets) for name, value in variables(data).items()}
            return self._run(target.line, about, msgspec.json.encode(found) + b"\n", told)
        as_json = self._config.format == "json"
        given = msgspec.json.encode(found) if as_json else line_of(data, self._secrets).encode()
        shell = {"NOVA_PYTHON": sys.executable, "NOVA_CODE": CODE, "NOVA_ROOT": ROOT}
        line = 'exec "$NOVA_PYTHON" -I -S -c "$NOVA_CODE" "$NOVA_ROOT"'
        return self._run(line, f"{about} to {target.name}", given, {**target.variables, **shell})


def _pause(number: int) -> float:
    """Seconds before the next try, after `number` retries."""
    return _WAITS[min(number, len(_WAITS) - 1)]


def _host(address: str) -> str:
    """The host of an address, which is not secret."""
    try:
        return urlsplit(address).hostname or "?"
    except ValueError:
        return "?"
