"""A gate that answers as Vestibule never does: a yes that names nobody, or one name twice, or a no with two cookies."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


# In a request: to be denied, with these cookies.
DENY = "X-Deny"
COOKIES = ("one=1; Path=/; Secure", "two=2; Path=/; Secure")
# In a request: to be let in, as two people.
TWICE = "X-Twice"
TWO = ("alice", "bob")


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        denied = self.headers.get(DENY) is not None
        self.send_response(401 if denied else 200)
        for cookie in COOKIES if denied else ():
            self.send_header("Set-Cookie", cookie)
        for person in TWO if self.headers.get(TWICE) is not None else ():
            self.send_header("Remote-User", person)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class SilentGate(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Gate)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A proxy that closes a connection is none."""

    @property
    def port(self) -> int:
        return self.server_address[1]
