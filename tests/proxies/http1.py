"""HTTP/1.1 by hand, since libraries would mend what is sent."""

from __future__ import annotations

import socket
import ssl
import time

from messages import Answer, Front, Headers, Request

# Traefik waits 30 s for an answer of Vestibule; nothing else takes as long.
PATIENCE_SECONDS = 45


class Connection:
    """One connection to a proxy, over TLS."""

    def __init__(self, front: Front, server: str):
        plain = socket.create_connection(("127.0.0.1", front.port), PATIENCE_SECONDS, (front.client, 0))
        self._socket = front.tls("http/1.1").wrap_socket(plain, server_hostname=server)
        self._unread = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, request: Request, extra: Headers) -> None:
        """At once, unless the body is to wait."""
        if request.body_after_seconds:
            self.send(head(request, extra))
            time.sleep(request.body_after_seconds)
            self.send(body(request))
        else:
            self.send(head(request, extra) + body(request))

    def more(self) -> bytes:
        """Whatever comes next; nothing at the end."""
        taken, self._unread = self._unread, b""
        return taken or self._socket.recv(65536)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("closed before the end of the answer")
            self._unread += data
        found, self._unread = self._unread.split(mark, 1)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self._unread) < length:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("closed before the end of the answer")
            self._unread += data
        found, self._unread = self._unread[:length], self._unread[length:]
        return found

    def _rest(self) -> bytes:
        data = b""
        while more := self.more():
            data += more
        return data

    def status_and_headers(self) -> Answer:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(int(first.split(" ")[1]), headers)

    def answer(self, method: str = "GET") -> Answer:
        """The final answer, with its body."""
        answer = self.status_and_headers()
        while 100 <= answer.status < 200 and answer.status != 101:
            answer = self.status_and_headers()
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        if answer.one("Transfer-Encoding").lower() == "chunked":
            data = b""
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                data += self._exactly(size)
                self._exactly(2)
            self._until(b"\r\n")
        elif length := answer.one("Content-Length"):
            data = self._exactly(int(length))
        else:
            data = self._rest()
        return Answer(answer.status, answer.headers, data)


def head(request: Request, extra: Headers) -> bytes:
    """Everything before the body."""
    lines = request.lines(extra)
    if request.trailers:
        lines = [*lines, ("Transfer-Encoding", "chunked")]
    elif request.body:
        lines = [*lines, ("Content-Length", str(len(request.body)))]
    text = f"{request.method} {request.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return (text + "\r\n").encode("latin-1")


def body(request: Request) -> bytes:
    if not request.trailers:
        return request.body
    ends = "".join(f"{name}: {value}\r\n" for name, value in request.trailers).encode("latin-1")
    return b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(request.body), request.body, ends)


def ask(front: Front, request: Request, extra: Headers) -> Answer:
    """One request on a connection of its own. A proxy that only closes it gives status 0."""
    try:
        with Connection(front, request.server) as connection:
            try:
                connection.request(request, extra)
            except OSError:
                # A proxy that answers before it has read everything may close; its answer is still there.
                pass
            return connection.answer(request.method)
    except (ConnectionError, ssl.SSLError):
        return Answer(0)
