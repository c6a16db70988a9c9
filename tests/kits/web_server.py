"""A web server on loopback that gives prepared answers, and remembers what it got."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebServer:
    """Answers each request with the next of `answers` (the last one from then on): a status, `silent` or `broken`."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, str, bytes]] = []
        self.released = threading.Event()
        self.address = ""

    def next_answer(self) -> Any:
        """The answer to this request."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def web_server(*answers: Any) -> Iterator[WebServer]:
    """Serve until the block ends."""
    told = WebServer(*answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            told.got.append((self.path, self.headers.get("Content-Type", ""), self.rfile.read(length)))
            answer = told.next_answer()
            if answer == "silent":
                told.released.wait(60)
                self.close_connection = True
            elif answer == "broken":
                self.wfile.write(b"\x1b[31mno HTTP\r\n\r\n")
                self.close_connection = True
            else:
                self.send_response(answer, "\x1b]0;owned\x07")
                self.send_header("Content-Length", "0")
                if 300 <= answer < 400:
                    self.send_header("Location", "/elsewhere")
                if answer == 429:
                    self.send_header("Retry-After", "7")
                self.end_headers()

        def do_GET(self) -> None:
            told.got.append((f"GET {self.path}", "", b""))
            self.send_error(405)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    told.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        told.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
