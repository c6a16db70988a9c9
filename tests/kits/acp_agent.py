"""A scripted agent that speaks the Agent Client Protocol: `python acp_agent.py STEP...`, or the steps in the prompt.

Steps, one after the other: `say=WORDS`, `run=COMMAND` and `edit=PATH` (ask for the permission, then do it), `cost=USD`,
`use=TOKENS`, `stop=REASON`, `die=CODE`, `hang`, `rubbish`, `huge=BYTES`, `early` (an answer to no request),
`fail=WORDS` (an error as the answer), `flood=LINES`, `wait` (until it is cancelled), `two` (two questions at once).
Options before them: `name=NAME`, `noresume`, `nologin`, `silent` (never answers), `auto` (it asks nothing at first),
`boasts` (of a way to resume that it does not have).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

USED = {"inputTokens": 300, "outputTokens": 20, "cachedReadTokens": 200, "totalTokens": 320}


class Agent:
    """One agent on standard input and output."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options
        self.usage = dict.fromkeys(USED, 0)
        self.mode = "auto" if "auto" in options else "default"
        self.cancelled = threading.Event()
        self.answers: dict[object, dict[str, Any]] = {}
        self.came = threading.Condition()
        self.count = 0
        self.writing = threading.Lock()
        self.sessions = Path(os.environ.get("HOME", ".")) / ".scripted-sessions"

    def send(self, **message: Any) -> None:
        with self.writing:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    def update(self, what: str, **fields: Any) -> None:
        self.send(method="session/update", params={"sessionId": "s-1", "update": {"sessionUpdate": what, **fields}})

    def say(self, words: str) -> None:
        self.update("agent_message_chunk", content={"type": "text", "text": words})

    def listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            method, number = message.get("method"), message.get("id")
            if method is None:
                with self.came:
                    self.answers[number] = message
                    self.came.notify_all()
            elif method == "session/cancel":
                self.cancelled.set()
            elif "silent" not in self.options:
                threading.Thread(target=self.serve, args=(method, number, message["params"]), daemon=True).start()
        os._exit(0)

    def serve(self, method: str, number: int, params: dict[str, Any]) -> None:
        able: dict[str, Any] = {"loadSession": "noresume" not in self.options}
        able |= {"sessionCapabilities": {"resume": {}}} if "boasts" in self.options else {}
        if method == "initialize":
            info = {"name": self.options.get("name", "scripted"), "version": "1"}
            self.send(id=number, result={"protocolVersion": 1, "agentCapabilities": able, "agentInfo": info})
        elif method == "session/new" and "nologin" in self.options:
            self.send(id=number, error={"code": -32000, "message": "Authentication required"})
        elif method == "session/new":
            models = {"currentModelId": "m1", "availableModels": [{"modelId": "m1"}, {"modelId": "m2", "name": "Big"}]}
            modes = {"currentModeId": self.mode, "availableModes": [{"id": "auto"}, {"id": "default"}]}
            self.send(id=number, result={"sessionId": "s-1", "models": models, "modes": modes})
        elif method == "session/resume":
            self.send(id=number, error={"code": -32601, "message": "Method not found"})
        elif method == "session/set_mode":
            self.mode = params["modeId"]
            self.send(id=number, result={})
        elif method == "session/load":
            self.say("words of before")
            self.send(id=number, result={})
        elif method == "session/prompt":
            self.turn(number, params["prompt"][0]["text"])
        else:
            self.send(id=number, result={})

    def turn(self, number: int, prompt: str) -> None:
        steps = [word for word in sys.argv[1:] if word not in self.options]
        reason = "end_turn"
        for step in steps or [line[5:] for line in prompt.splitlines() if line.startswith("step ")]:
            name, _, value = step.partition("=")
            if name in ("run", "edit"):
                self.work(name, value)
            elif name == "two":
                self.work_twice()
            elif name == "fail":
                self.send(id=number, error={"code": -32603, "message": value})
                return
            elif name in ("stop", "wait"):
                reason = value or "cancelled"
                if name == "wait":
                    self.cancelled.wait()
            else:
                self.talk(name, value)
        self.send(id=number, result={"stopReason": reason, "usage": self.usage})

    def work_twice(self) -> None:
        pair = [threading.Thread(target=self.work, args=("run", f"echo {name} > {name}.txt")) for name in "ab"]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()

    def die(self, code: int) -> None:
        sys.stderr.write("fatal: it broke\n")
        sys.stderr.flush()
        os._exit(code)

    def talk(self, name: str, value: str) -> None:
        """A step that asks for nothing."""
        steps: dict[str, Callable[[], object]] = {
            "say": lambda: self.say(value),
            "env": lambda: self.say(f"{value}={os.environ.get(value, '')}"),
            "cost": lambda: self.update("usage_update", cost={"amount": float(value), "currency": "USD"}),
            "use": lambda: self.usage.update({key: count * int(value) for key, count in USED.items()}),
            "flood": lambda: self.flood(int(value)),
            "huge": lambda: self.update(
                "tool_call_update", toolCallId="h", rawOutput="x" * int(value), status="failed"
            ),
            "early": lambda: self.send(id=999, result={"stopReason": "refusal"}),
            "die": lambda: self.die(int(value)),
            "hang": lambda: threading.Event().wait(),
            "rubbish": self.rave,
        }
        steps[name]()

    def flood(self, lines: int) -> None:
        for line in range(lines):
            self.say(f"word{line} ")

    def rave(self) -> None:
        with self.writing:
            sys.stdout.write('rubbish {"half": \n\x1b[31m\xff\n[1, 2]\nnull\n')
            sys.stdout.flush()

    def work(self, name: str, value: str) -> None:
        """Ask for a permission, and do what it is for."""
        self.count += 1
        call, request = f"call-{self.count}", 100 + self.count
        kind = "execute" if name == "run" else "edit"
        given = {"command": value} if name == "run" else {"file_path": os.path.abspath(value)}
        tool = {"toolCallId": call, "kind": kind, "title": f"{name} it", "rawInput": given}
        self.update("tool_call", status="pending", **tool)
        if self.mode == "auto":
            self.do(name, value, call)
            return
        options = [{"optionId": f"{o}-id", "kind": f"{o}_once", "name": o} for o in ("allow", "reject")]
        params = {"sessionId": "s-1", "toolCall": tool, "options": options}
        self.send(id=request, method="session/request_permission", params=params)
        with self.came:
            self.came.wait_for(lambda: request in self.answers)
        chosen = self.answers[request]["result"]["outcome"].get("optionId")
        if chosen != "allow-id":
            self.update("tool_call_update", toolCallId=call, status="failed")
            return
        self.do(name, value, call)

    def do(self, name: str, value: str, call: str) -> None:
        if name == "run":
            subprocess.run(value, shell=True, check=False, stdout=subprocess.DEVNULL)
        else:
            Path(value).write_text("edited\n")
        self.update("tool_call_update", toolCallId=call, status="completed")


if __name__ == "__main__":
    given = [
        word
        for word in sys.argv[1:]
        if word.partition("=")[0] in ("name", "noresume", "nologin", "silent", "auto", "boasts")
    ]
    Agent({**dict.fromkeys(given, ""), **{w.partition("=")[0]: w.partition("=")[2] for w in given}}).listen()
