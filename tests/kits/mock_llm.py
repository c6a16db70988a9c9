#!/usr/bin/env python3
"""mock_llm.py - a scripted, loopback-only LLM server for testing AI coding agents.

One file, standard library only.  It speaks enough of four wire protocols for the
real command-line agents to run whole tool-using sessions against it:

  Anthropic Messages      POST /v1/messages            (stream and non-stream)   claude
                          POST /v1/messages/count_tokens
  OpenAI Responses        POST /v1/responses           (stream and non-stream)   codex
  OpenAI Chat Completions POST /v1/chat/completions    (stream and non-stream)   opencode, aider
  Gemini                  POST /v1beta/models/M:generateContent
                          POST /v1beta/models/M:streamGenerateContent            gemini
                          POST /v1beta/models/M:countTokens
  and                     GET  /v1/models

Which script plays?  The prompt says so: put `@mock:NAME` anywhere in it, NAME being a
key of SCENARIOS below (or of the JSON file given with --scenarios).  The server is
STATELESS about progress: the step is the number of assistant turns that follow the
last user message carrying the directive, so any number of agents may share one server
and sessions may be resumed.  (The only state is the counter for "fail the first N".)

A scenario is a list of steps; the last one repeats if an agent asks for more.  A step:

  text      str           assistant text
  thinking  str           a thinking / reasoning block before the text
  tools     [ {...} ]     tool calls, each one of
                            {"sh": "echo hi"}                       run a shell command
                            {"write": "a.txt", "content": "..."}    write a file
                            {"edit": "a.txt", "old": "x", "new": "y"}
                            {"name": "mcp__x__y", "input": {...}}   any tool, verbatim
                          sh / write / edit are translated to the tool the agent offers.
  usage     {in, cache_read, cache_write, out, reason}   tokens (default: see step_usage)
  stop      str           Anthropic stop_reason override ("refusal", "max_tokens")
  error     int           answer with this HTTP status instead ...
  times     int           ... but only for the first N requests of this prompt
  headers   {..}          extra response headers for the error
  message   str           error message
  body      {..}          the whole answer of the error instead
  until     float         no error any more from this time on (seconds since the epoch)
  delay_s   float         wait before answering
  stall_s   float         wait after the first streamed chunk
  cut       bool          Anthropic: send an SSE `error` event mid-stream; others: drop

Requests that are not the main conversation (title generation, commit messages, quota
probes, classifiers) get a one-line answer with the tiny usage SIDE_USAGE, so that a
test can see whether an agent's reported totals include them.

  python3 mock_llm.py --port 8123 --log requests.jsonl
  python3 mock_llm.py --port 0 --port-file port.txt          # pick a free port
"""

import argparse
import hashlib
import itertools
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIDE_USAGE = {"in": 7, "cache_read": 0, "cache_write": 0, "out": 5, "reason": 0}
DIRECTIVE = re.compile(r"@mock:([A-Za-z0-9_-]+)")

SCENARIOS = {
    "hello": [{"text": "NOVA-FINAL: hello from the mock."}],
    # the standard success run: shell, write, final text
    "tool": [
        {"text": "I will look around first.", "tools": [{"sh": "echo nova-tool-ok"}]},
        {"text": "Now I write the file.", "tools": [{"write": "hello_nova.txt", "content": "hello nova\n"}]},
        {"text": "NOVA-FINAL: wrote hello_nova.txt."},
    ],
    # several content blocks in one message: thinking + text + two tool calls
    "multi": [
        {
            "thinking": "Let me think about two things.",
            "text": "Two commands at once.",
            "tools": [{"sh": "echo one"}, {"sh": "echo two"}],
        },
        {"thinking": "All good.", "text": "NOVA-FINAL: both ran."},
    ],
    "edit": [
        {"text": "Create it.", "tools": [{"write": "e.txt", "content": "alpha\nbeta\n"}]},
        {"text": "Change it.", "tools": [{"edit": "e.txt", "old": "beta", "new": "gamma"}]},
        {"text": "NOVA-FINAL: edited e.txt."},
    ],
    "toolfail": [
        {"text": "This command fails.", "tools": [{"sh": "echo oops >&2; exit 3"}]},
        {"text": "NOVA-FINAL: the command failed with 3."},
    ],
    "mcp": [
        {
            "text": "Reporting.",
            "tools": [{"name": "mcp__nova__report", "input": {"task_id": "T1", "step": "compiling", "percent": 40}}],
        },
        {"text": "NOVA-FINAL: reported."},
    ],
    "loop": [{"text": "Again.", "tools": [{"sh": "echo again"}]}],
    "slowtool": [
        {"text": "A long command.", "tools": [{"sh": "python3 -c 'import time; time.sleep(60)'; echo slept"}]},
        {"text": "NOVA-FINAL: slept."},
    ],
    "slow": [{"text": "NOVA-FINAL: slow answer.", "delay_s": 60}],
    "stall": [{"text": "NOVA-FINAL: stalled answer.", "stall_s": 60}],
    "refusal": [{"text": "I cannot help with that.", "stop": "refusal"}],
    "maxtok": [{"text": "This is cut of", "stop": "max_tokens"}],
    "err400": [{"error": 400, "message": "mock: invalid request"}],
    "err401": [{"error": 401, "message": "mock: invalid api key"}],
    "err403": [{"error": 403, "message": "mock: permission denied"}],
    "err404": [{"error": 404, "message": "mock: model not found"}],
    "err413": [{"error": 413, "message": "mock: prompt is too long"}],
    "err429": [{"error": 429, "message": "mock: rate limit", "headers": {"retry-after": "1"}}],
    "err500": [{"error": 500, "message": "mock: internal error"}],
    "err529": [{"error": 529, "message": "mock: overloaded"}],
    "flaky429": [
        {
            "error": 429,
            "times": 2,
            "message": "mock: rate limit",
            "headers": {"retry-after": "1"},
            "text": "NOVA-FINAL: after two 429.",
        }
    ],
    "flaky529": [{"error": 529, "times": 2, "message": "mock: overloaded", "text": "NOVA-FINAL: after two 529."}],
    # first a good tool turn, then the API dies: tests usage on failed runs
    "tool_then_500": [
        {"text": "I will look around first.", "tools": [{"sh": "echo nova-tool-ok"}]},
        {"error": 500, "message": "mock: internal error"},
    ],
    "tool_then_429": [
        {"text": "I will look around first.", "tools": [{"sh": "echo nova-tool-ok"}]},
        {"error": 429, "message": "mock: rate limit", "headers": {"retry-after": "1"}},
    ],
    "cut": [{"text": "This stream breaks", "cut": True}],
    # aider: edits arrive as text (diff edit format)
    "aider": [
        {
            "text": "I will create the file.\n\nhello_nova.txt\n```\n<<<<<<< SEARCH\n"
            "=======\nhello nova\n>>>>>>> REPLACE\n```\n\nNOVA-FINAL: done.\n"
        }
    ],
}


def step_usage(i):
    """Default usage of step i: numbers whose sums are easy to recognise.
    Steps 0+1+2 sum to in 606, cache_read 9000, cache_write 2450, out 66, reason 18."""
    return {
        "in": 101 * (i + 1),
        "cache_read": 1000 * (2 * i + 1),
        "cache_write": [2000, 400, 50][i] if i < 3 else 7,
        "out": 11 * (i + 1),
        "reason": 3 * (i + 1),
    }


class Script:
    """Finds the step to play for a normalised conversation."""

    def __init__(self, scenarios, default):
        self.scenarios, self.default = scenarios, default
        self.seen, self.lock = {}, threading.Lock()

    def pick(self, turns, is_side):
        """turns: list of (role, text), role in user|assistant|tool, consecutive items of
        one model turn merged.  Returns (scenario name, step index, step)."""
        if is_side:
            return "side", 0, {"text": "mock side answer", "usage": SIDE_USAGE}
        name, at, prompt = self.default, 0, ""
        for n, (role, text) in enumerate(turns):
            if role == "user":
                found = [m for m in DIRECTIVE.findall(text) if m in self.scenarios]
                if found:
                    name, at, prompt = found[-1], n, text
        steps = self.scenarios[name]
        i = sum(1 for role, _ in turns[at:] if role == "assistant")
        step = dict(steps[min(i, len(steps) - 1)])
        step.setdefault("usage", step_usage(i))
        if time.time() >= step.get("until", float("inf")):
            step.pop("error", None)
        if step.get("times"):
            key = (name, i, hashlib.sha1(prompt.encode()).hexdigest())
            with self.lock:
                self.seen[key] = self.seen.get(key, 0) + 1
                if self.seen[key] > step["times"]:
                    step.pop("error", None)
        return name, i, step


def merge(items):
    out = []
    for role, text in items:
        if out and out[-1][0] == role == "assistant":
            out[-1] = (role, out[-1][1] + text)
        else:
            out.append((role, text))
    return out


def flat(content):
    """All text in a message content (string, or list of parts), protocol-agnostic."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(p if isinstance(p, str) else str(p.get("text", "")) for p in content)
    return ""


# --------------------------------------------------------------- tool translation
def codex_patch(call):
    """A write/edit call in codex's apply_patch format."""
    if "write" in call:
        body = "".join("+" + line + "\n" for line in call["content"].splitlines())
        return f"*** Begin Patch\n*** Add File: {call['write']}\n{body}*** End Patch"
    return f"*** Begin Patch\n*** Update File: {call['edit']}\n@@\n-{call['old']}\n+{call['new']}\n*** End Patch"


def native_tool(call, offered):
    """Turn {"sh":..}/{"write":..}/{"edit":..} into (name, input) for the tools offered.
    offered: {tool name: JSON schema of its parameters}."""

    def first(*names):
        for n in names:
            if n in offered:
                return n
        return None

    def props(n):
        return (offered.get(n) or {}).get("properties", {})

    if "exec" in offered and "exec_command" not in offered and call.get("name") != "exec":
        # codex "code mode": tools are called from JavaScript
        if "sh" in call:
            js = "exec_command(" + json.dumps({"cmd": call["sh"]}) + ")"
        elif "name" in call:
            js = call["name"] + "(" + json.dumps(call.get("input", {})) + ")"
        else:
            js = "apply_patch(" + json.dumps(codex_patch(call)) + ")"
        return "exec", {"input": "text(await tools." + js + ");"}
    if "name" in call:
        return call["name"], call.get("input", {})

    if "sh" in call:
        n = first(
            "Bash",
            "bash",
            "run_shell_command",
            "exec_command",
            "shell_command",
            "shell",
            "local_shell",
            "container.exec",
            "run_commands",
        )
        p = props(n)
        if n == "exec_command":
            return n, {"cmd": call["sh"]}
        if n == "shell":
            return n, {"command": ["bash", "-lc", call["sh"]]}
        a = {"command": call["sh"]}
        if "description" in p:
            a["description"] = "mock: run a command"
        return n or "Bash", a
    path = call.get("write") or call.get("edit")
    n = first("Write", "write", "write_file") if "write" in call else first("Edit", "edit", "replace")
    if n is None and (
        "exec_command" in offered or "shell_command" in offered or "shell" in offered or "apply_patch" in offered
    ):
        patch = codex_patch(call)
        if "apply_patch" in offered:
            return "apply_patch", {"input": patch}
        return native_tool({"sh": f"apply_patch <<'EOF'\n{patch}\nEOF"}, offered)
    p = props(n)
    key = next((k for k in ("file_path", "filePath", "path") if k in p), "file_path")
    cwd = call.get("cwd", "")
    a = {key: (cwd + "/" + path) if cwd and not path.startswith("/") else path}
    if "write" in call:
        a["content"] = call["content"]
    else:
        a["oldString" if "oldString" in p else "old_string"] = call["old"]
        a["newString" if "newString" in p else "new_string"] = call["new"]
        if "instruction" in p:
            a["instruction"] = "mock edit"
    return n or "Write", a


CWD_PATTERNS = [
    re.compile(p)
    for p in (
        r"Primary working directory: (\S+)",
        r"[Ww]orking directory: (\S+)",
        r"<cwd>(.*?)</cwd>",
        r"current working directory is:? (\S+)",
        r"currently working in the directory: (\S+)",
        r"Workspace Directories:\*?\*?\s*\n?\s*-? ?(\S+)",
    )
]


def find_cwd(blob):
    for p in CWD_PATTERNS:
        m = p.search(blob)
        if m:
            return m.group(1).strip().rstrip("`.,")
    return ""


_ids = itertools.count(1)


def new_id(prefix):
    return f"{prefix}_mock{next(_ids):06d}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mock-llm"

    # ------------------------------------------------------------ plumbing
    def log_message(self, *a):
        pass

    def note(self, **kw):
        self.server.note(dict(t=round(time.time(), 3), method=self.command, path=self.path, **kw))

    def send_json(self, obj, status=200, headers=None):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("request-id", new_id("req"))
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(data)

    def begin_sse(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("request-id", new_id("req"))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def sse(self, obj, event=None):
        head = f"event: {event}\n" if event else ""
        self.wfile.write((head + "data: " + json.dumps(obj) + "\n\n").encode())
        self.wfile.flush()

    def read_body(self):
        n = int(self.headers.get("Content-Length") or 0)
        if n:
            raw = self.rfile.read(n)
        elif "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            raw = b""
            while True:
                size = int(self.rfile.readline().strip() or b"0", 16)
                if size == 0:
                    self.rfile.readline()
                    break
                raw += self.rfile.read(size)
                self.rfile.readline()
        else:
            raw = b""
        enc = self.headers.get("Content-Encoding")
        if enc == "gzip":
            import gzip

            raw = gzip.decompress(raw)
        try:
            return json.loads(raw or b"{}")
        except ValueError:
            return {"_raw": raw[:200].decode("latin1")}

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ------------------------------------------------------------ routing
    def do_HEAD(self):
        self.note()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.note()
        if self.path.split("?")[0].endswith("/models"):
            return self.send_json(
                {
                    "object": "list",
                    "models": [],
                    "data": [
                        {"id": m, "object": "model", "type": "model", "display_name": m, "owned_by": "mock"}
                        for m in ("claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro")
                    ],
                }
            )
        self.send_json({"error": {"type": "not_found_error", "message": "mock: no such path"}}, 404)

    def do_POST(self):
        path, body = self.path.split("?")[0], self.read_body()
        if path.endswith("/messages/count_tokens"):
            self.note(kind="count_tokens")
            return self.send_json({"input_tokens": 42})
        if path.endswith(":countTokens"):
            self.note(kind="count_tokens")
            return self.send_json({"totalTokens": 42})
        for suffix, proto in (
            ("/messages", Anthropic),
            ("/responses", Responses),
            ("/chat/completions", Chat),
            (":generateContent", Gemini),
            (":streamGenerateContent", Gemini),
        ):
            if path.endswith(suffix):
                return self.play(proto, body)
        self.note(kind="unknown", body=json.dumps(body)[:300])
        self.send_json({"error": {"type": "not_found_error", "message": "mock: no such path"}}, 404)

    def play(self, proto, body):
        turns, system, offered = proto.read(body)
        blob = system + "\n" + "\n".join(t for _, t in turns if _ == "user")
        side = proto.is_side(system, turns, offered, body)
        name, i, step = self.server.script.pick(turns, side)
        cwd = find_cwd(blob) or self.server.cwd
        calls = [native_tool(dict(c, cwd=cwd), offered) for c in step.get("tools", [])]
        stream = proto.wants_stream(body, self.path)
        m = re.search(r"models/([^:/]+):", self.path)
        model = body.get("model") or (m.group(1) if m else "?")
        self.note(
            kind="side" if side else "main",
            proto=proto.__name__,
            model=model,
            stream=stream,
            scenario=name,
            step=i,
            error=step.get("error"),
            usage=None if step.get("error") else step["usage"],
            tools_offered=len(offered),
            calls=[c[0] for c in calls],
            last=[turns[-1][0], turns[-1][1][-20_000:]] if turns else None,
            max_tokens=body.get("max_tokens"),
            **({"tool_names": sorted(offered), "system_head": system[:300]} if self.server.verbose else {}),
        )
        if self.server.dump:
            with open(self.server.dump, "a") as f:
                f.write(json.dumps({"path": self.path, "body": body}) + "\n")
        if step.get("delay_s"):
            time.sleep(step["delay_s"])
        if step.get("error"):
            status, obj = proto.error(step["error"], step.get("message", "mock error"))
            obj = step.get("body", obj)
            return self.send_json(obj, status, step.get("headers"))
        proto.answer(self, model, step, calls, stream)


# ------------------------------------------------------------------- Anthropic
class Anthropic:
    TYPES = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        529: "overloaded_error",
    }

    @staticmethod
    def read(body):
        items = []
        for m in body.get("messages", []):
            c = m.get("content")
            role = m["role"]
            if (
                role == "user"
                and isinstance(c, list)
                and any(isinstance(p, dict) and p.get("type") == "tool_result" for p in c)
            ):
                role = "tool"
            items.append((role, flat(c)))
        return (
            merge(items),
            flat(body.get("system", "")),
            {t.get("name"): t.get("input_schema") for t in body.get("tools", [])},
        )

    @staticmethod
    def is_side(system, turns, offered, body):
        return not offered

    @staticmethod
    def wants_stream(body, path):
        return bool(body.get("stream"))

    @classmethod
    def error(cls, status, message):
        return status, {
            "type": "error",
            "error": {"type": cls.TYPES.get(status, "api_error"), "message": message},
            "request_id": new_id("req"),
        }

    @staticmethod
    def answer(h, model, step, calls, stream):
        u = step["usage"]
        usage = {
            "input_tokens": u["in"],
            "cache_creation_input_tokens": u["cache_write"],
            "cache_read_input_tokens": u["cache_read"],
            "output_tokens": u["out"],
            "cache_creation": {"ephemeral_5m_input_tokens": u["cache_write"], "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        }
        blocks = []
        if step.get("thinking"):
            blocks.append({"type": "thinking", "thinking": step["thinking"], "signature": "bW9jaw=="})
        if step.get("text"):
            blocks.append({"type": "text", "text": step["text"]})
        for name, args in calls:
            blocks.append({"type": "tool_use", "id": new_id("toolu"), "name": name, "input": args})
        stop = step.get("stop") or ("tool_use" if calls else "end_turn")
        msg = {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": blocks,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
        if not stream:
            return h.send_json(msg)
        h.begin_sse()
        start = dict(msg, content=[], stop_reason=None, usage=dict(usage, output_tokens=1))
        h.sse({"type": "message_start", "message": start}, "message_start")
        if step.get("stall_s"):
            time.sleep(step["stall_s"])
        for n, b in enumerate(blocks):
            if b["type"] == "text":
                empty, deltas = (
                    {"type": "text", "text": ""},
                    [{"type": "text_delta", "text": w} for w in re.findall(r"\S+\s*", b["text"])],
                )
            elif b["type"] == "thinking":
                empty, deltas = (
                    {"type": "thinking", "thinking": "", "signature": ""},
                    [
                        {"type": "thinking_delta", "thinking": b["thinking"]},
                        {"type": "signature_delta", "signature": b["signature"]},
                    ],
                )
            else:
                empty, deltas = (
                    dict(b, input={}),
                    [{"type": "input_json_delta", "partial_json": json.dumps(b["input"])}],
                )
            h.sse({"type": "content_block_start", "index": n, "content_block": empty}, "content_block_start")
            for d in deltas:
                h.sse({"type": "content_block_delta", "index": n, "delta": d}, "content_block_delta")
            if step.get("cut"):
                return h.sse({"type": "error", "error": {"type": "overloaded_error", "message": "mock: cut"}}, "error")
            h.sse({"type": "content_block_stop", "index": n}, "content_block_stop")
        h.sse(
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            "message_delta",
        )
        h.sse({"type": "message_stop"}, "message_stop")


# ------------------------------------------------------------- OpenAI (both APIs)
class OpenAI:
    CODES = {
        400: "invalid_request_error",
        401: "invalid_api_key",
        403: "permission_denied",
        404: "model_not_found",
        413: "context_length_exceeded",
        429: "rate_limit_exceeded",
        500: "server_error",
        529: "server_overloaded",
    }

    @classmethod
    def error(cls, status, message):
        code = cls.CODES.get(status, "server_error")
        return status, {"error": {"message": message, "type": code, "param": None, "code": code}}


class Responses(OpenAI):
    @staticmethod
    def read(body):
        items, inp = [], body.get("input", [])
        if isinstance(inp, str):
            inp = [{"type": "message", "role": "user", "content": inp}]
        system = flat(body.get("instructions") or "")
        for it in inp:
            t = it.get("type", "message")
            if t == "message":
                if it["role"] in ("system", "developer"):
                    system += "\n" + flat(it.get("content"))
                else:
                    items.append((it["role"], flat(it.get("content"))))
            elif t.endswith("_output"):
                items.append(("tool", str(it.get("output"))))
            elif t.endswith("_call") or t == "reasoning":
                items.append(("assistant", ""))
        offered = {}
        todo = list(body.get("tools") or [])
        for it in inp:  # newer codex models send tools as an input item
            if it.get("type") == "additional_tools":
                todo += it.get("tools") or []
        for t in todo:
            if t.get("type") == "namespace":
                todo += t.get("tools") or []
            else:
                offered[t.get("name") or t.get("type")] = t.get("parameters") or {}
        return merge(items), system, offered

    @staticmethod
    def is_side(system, turns, offered, body):
        return not offered

    @staticmethod
    def wants_stream(body, path):
        return bool(body.get("stream"))

    @staticmethod
    def answer(h, model, step, calls, stream):
        u, rid = step["usage"], new_id("resp")
        items = []
        if step.get("thinking"):
            items.append(
                {
                    "id": new_id("rs"),
                    "type": "reasoning",
                    "encrypted_content": "bW9jaw==",
                    "summary": [{"type": "summary_text", "text": step["thinking"]}],
                }
            )
        if step.get("text"):
            items.append(
                {
                    "id": new_id("msg"),
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": step["text"], "annotations": []}],
                }
            )
        for name, args in calls:
            if name in ("apply_patch", "exec") and set(args) == {"input"}:
                items.append(
                    {
                        "id": new_id("ctc"),
                        "type": "custom_tool_call",
                        "status": "completed",
                        "call_id": new_id("call"),
                        "name": name,
                        "input": args["input"],
                    }
                )
            else:
                items.append(
                    {
                        "id": new_id("fc"),
                        "type": "function_call",
                        "status": "completed",
                        "call_id": new_id("call"),
                        "name": name,
                        "arguments": json.dumps(args),
                    }
                )
        inp = u["in"] + u["cache_read"] + u["cache_write"]
        usage = {
            "input_tokens": inp,
            "input_tokens_details": {"cached_tokens": u["cache_read"], "cache_write_tokens": u["cache_write"]},
            "output_tokens": u["out"],
            "output_tokens_details": {"reasoning_tokens": u["reason"]},
            "total_tokens": inp + u["out"],
        }
        resp = {
            "id": rid,
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "status": "completed",
            "output": items,
            "usage": usage,
            "error": None,
        }
        if not stream:
            return h.send_json(resp)
        h.begin_sse()
        part = dict(resp, status="in_progress", output=[], usage=None)
        h.sse({"type": "response.created", "response": part}, "response.created")
        if step.get("stall_s"):
            time.sleep(step["stall_s"])
        if step.get("cut"):
            return None
        for n, it in enumerate(items):
            empty = dict(it, content=[]) if it["type"] == "message" else it
            h.sse(
                {"type": "response.output_item.added", "output_index": n, "item": empty}, "response.output_item.added"
            )
            if it["type"] == "message":
                for w in re.findall(r"\S+\s*", step["text"]):
                    h.sse(
                        {
                            "type": "response.output_text.delta",
                            "item_id": it["id"],
                            "output_index": n,
                            "content_index": 0,
                            "delta": w,
                        },
                        "response.output_text.delta",
                    )
            h.sse({"type": "response.output_item.done", "output_index": n, "item": it}, "response.output_item.done")
        h.sse({"type": "response.completed", "response": resp}, "response.completed")


class Chat(OpenAI):
    SIDE = re.compile(
        r"title generator|generate a (brief )?title|commit message|"
        r"summari[sz]e (this|the) conversation",
        re.I,
    )

    @staticmethod
    def read(body):
        items, system = [], ""
        for m in body.get("messages", []):
            if m["role"] in ("system", "developer"):
                system += "\n" + flat(m.get("content"))
            else:
                items.append((m["role"], flat(m.get("content"))))
        return (
            merge(items),
            system,
            {
                t["function"]["name"]: t["function"].get("parameters")
                for t in body.get("tools") or []
                if "function" in t
            },
        )

    @classmethod
    def is_side(cls, system, turns, offered, body):
        return not offered and bool(cls.SIDE.search(system))

    @staticmethod
    def wants_stream(body, path):
        return bool(body.get("stream"))

    @staticmethod
    def answer(h, model, step, calls, stream):
        u = step["usage"]
        inp = u["in"] + u["cache_read"] + u["cache_write"]
        usage = {
            "prompt_tokens": inp,
            "completion_tokens": u["out"],
            "total_tokens": inp + u["out"],
            "prompt_tokens_details": {"cached_tokens": u["cache_read"]},
            "completion_tokens_details": {"reasoning_tokens": u["reason"]},
        }
        tcs = [
            {
                "index": n,
                "id": new_id("call"),
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args)},
            }
            for n, (name, args) in enumerate(calls)
        ]
        finish = {"max_tokens": "length", "refusal": "content_filter"}.get(
            step.get("stop"), "tool_calls" if calls else "stop"
        )
        base = {"id": new_id("chatcmpl"), "created": int(time.time()), "model": model}
        if not stream:
            msg = {"role": "assistant", "content": step.get("text", "")}
            if tcs:
                msg["tool_calls"] = [{k: v for k, v in t.items() if k != "index"} for t in tcs]
            return h.send_json(
                dict(
                    base,
                    object="chat.completion",
                    usage=usage,
                    choices=[{"index": 0, "message": msg, "finish_reason": finish}],
                )
            )
        h.begin_sse()
        base["object"] = "chat.completion.chunk"

        def chunk(delta, fin=None):
            h.sse(dict(base, choices=[{"index": 0, "delta": delta, "finish_reason": fin}]))

        chunk({"role": "assistant", "content": ""})
        if step.get("stall_s"):
            time.sleep(step["stall_s"])
        if step.get("cut"):
            return None
        for w in re.findall(r"\S+\s*|\s+", step.get("text", "")):
            chunk({"content": w})
        for t in tcs:
            chunk({"tool_calls": [t]})
        chunk({}, finish)
        h.sse(dict(base, choices=[], usage=usage))
        h.wfile.write(b"data: [DONE]\n\n")


# ---------------------------------------------------------------------- Gemini
class Gemini:
    STATUS = {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        529: "UNAVAILABLE",
    }

    @staticmethod
    def read(body):
        items = []
        for c in body.get("contents", []):
            role = "assistant" if c.get("role") == "model" else "user"
            parts = c.get("parts", [])
            if any("functionResponse" in p for p in parts):
                role = "tool"
            items.append((role, flat(parts)))
        offered = {}
        for t in body.get("tools") or []:
            for f in t.get("functionDeclarations", []):
                offered[f["name"]] = f.get("parametersJsonSchema") or f.get("parameters") or {}
        return merge(items), flat((body.get("systemInstruction") or {}).get("parts", [])), offered

    @staticmethod
    def is_side(system, turns, offered, body):
        return not offered

    @staticmethod
    def wants_stream(body, path):
        return "streamGenerateContent" in path

    @classmethod
    def error(cls, status, message):
        if status == 529:
            status = 503
        return status, {"error": {"code": status, "message": message, "status": cls.STATUS.get(status, "UNAVAILABLE")}}

    @staticmethod
    def answer(h, model, step, calls, stream):
        u = step["usage"]
        inp = u["in"] + u["cache_read"] + u["cache_write"]
        meta = {
            "promptTokenCount": inp,
            "candidatesTokenCount": u["out"],
            "thoughtsTokenCount": u["reason"],
            "cachedContentTokenCount": u["cache_read"],
            "totalTokenCount": inp + u["out"] + u["reason"],
        }
        parts = []
        if step.get("thinking"):
            parts.append({"text": step["thinking"], "thought": True})
        text = step.get("text")
        if text == "mock side answer":  # JSON classifiers / next-speaker checks
            text = json.dumps(
                {
                    "reasoning": "mock",
                    "model_choice": "flash",
                    "next_speaker": "user",
                    "complexity_reasoning": "mock",
                    "complexity_score": 1,
                }
            )
        if text:
            parts.append({"text": text})
        for name, args in calls:
            parts.append({"functionCall": {"id": new_id("fc"), "name": name, "args": args}})
        finish = {"max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}.get(step.get("stop"), "STOP")

        def resp(ps, fin):
            cand = {"index": 0, "content": {"role": "model", "parts": ps}}
            if fin:
                cand["finishReason"] = fin
            return {"candidates": [cand], "usageMetadata": meta, "modelVersion": model, "responseId": rid}

        rid = new_id("gem")
        if not stream:
            return h.send_json(resp(parts, finish))
        h.begin_sse()
        for n, p in enumerate(parts):
            h.sse(resp([p], finish if n == len(parts) - 1 and not step.get("cut") else None))
            if n == 0 and step.get("stall_s"):
                time.sleep(step["stall_s"])


# ---------------------------------------------------------------------- server
class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, addr, script, log=None, verbose=False, dump=None, cwd=""):
        super().__init__(addr, Handler)
        self.script, self.verbose, self.dump, self.cwd = script, verbose, dump, cwd
        self._log, self._lock, self.requests = log, threading.Lock(), []

    def note(self, rec):
        with self._lock:
            self.requests.append(rec)
            if self._log:
                with open(self._log, "a") as f:
                    f.write(json.dumps(rec) + "\n")


def serve(port=0, scenarios=None, default="hello", **kw):
    """Start in a thread; returns the Server (server.server_address[1] is the port)."""
    s = Server(("127.0.0.1", port), Script({**SCENARIOS, **(scenarios or {})}, default), **kw)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s


def main(argv=None):
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--port", type=int, default=8123)
    ap.add_argument("--port-file", help="write the port here once listening")
    ap.add_argument("--log", help="append one JSON line per request")
    ap.add_argument("--dump", help="append full request bodies (large)")
    ap.add_argument("--verbose", action="store_true", help="log tool names and system prompt head")
    ap.add_argument("--scenarios", help="JSON file {name: [step, ...]} merged over the built-in ones")
    ap.add_argument("--default", default="hello", help="scenario for prompts without a directive")
    ap.add_argument(
        "--cwd", default="", help="prefix for relative file paths when the request does not say where the agent works"
    )
    a = ap.parse_args(argv)
    extra = json.load(open(a.scenarios)) if a.scenarios else None
    s = serve(a.port, extra, a.default, log=a.log, verbose=a.verbose, dump=a.dump, cwd=a.cwd)
    print(f"mock_llm on http://127.0.0.1:{s.server_address[1]}", flush=True)
    if a.port_file:
        open(a.port_file, "w").write(str(s.server_address[1]))
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
