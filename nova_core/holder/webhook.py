"""Posts standard input to the address in `NOVA_WEBHOOK`, once; standard library only."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from typing import IO, Any

CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.webhook import main; main()"
REJECTED, AGAIN = 65, 75  # as in sysexits.h: EX_DATAERR, EX_TEMPFAIL
_AGAIN = {408, 425, 429}
_LONGEST_WAIT = 30.0  # seconds that a server may ask for


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows none: a redirected POST would arrive elsewhere, or as a GET without its data."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def post(address: str, data: bytes, kind: str, timeout: float) -> tuple[int, str, float]:
    """Returns the exit code (0, `REJECTED` or `AGAIN`), what the server did, and the seconds it asks to wait.

    The text names neither the address, which is often a secret, nor anything that the server sent but its status.
    """
    try:
        request = urllib.request.Request(  # noqa: S310 - only http and https are accepted in nova.yaml
            address, data, {"Content-Type": kind, "User-Agent": "nova"}, method="POST"
        )
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout) as answer:
            return 0, f"the server answered {answer.status}", 0.0
    except urllib.error.HTTPError as error:
        said = f"the server answered {error.code}"
        if 300 <= error.code < 400:
            return REJECTED, f"{said}: redirects are not followed", 0.0
        again = error.code >= 500 or error.code in _AGAIN
        return (AGAIN if again else REJECTED), said, _wait(error.headers.get("Retry-After") if again else None)
    except ValueError:  # also of an address that http.client rejects
        return REJECTED, "the address is not valid", 0.0
    except OSError as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or type(reason).__name__
        return AGAIN, f"no answer: {said}", 0.0
    except Exception as error:  # of a server that does not speak HTTP
        return AGAIN, f"no answer in HTTP: {type(error).__name__}", 0.0


def _wait(text: str | None) -> float:
    """Seconds that `Retry-After` asks for; dates are not read."""
    return min(float(text), _LONGEST_WAIT) if text and text.isascii() and text.isdigit() else 0.0


def main() -> None:
    """Post once; then wait as long as the server asked for, for the next try."""
    from time import sleep

    environ = os.environ
    timeout = float(environ["NOVA_WEBHOOK_TIMEOUT"])
    code, said, wait = post(environ["NOVA_WEBHOOK"], sys.stdin.buffer.read(), environ["NOVA_WEBHOOK_TYPE"], timeout)
    print(said, flush=True)
    sleep(min(wait, max(0.0, timeout - 1)))
    os._exit(code)
