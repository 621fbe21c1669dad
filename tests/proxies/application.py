"""An application behind the proxies. It answers as an application would, and keeps what it has seen of each request.

`/events` is a stream of events, `/socket` a WebSocket, `/file` is answered in ranges; every other path is a page.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socketserver
import threading
from dataclasses import dataclass, field
from urllib.parse import unquote

from messages import Headers

# Every request of the harness carries its number.
NUMBER = "X-Row"
FILE = bytes(range(256)) * 4


@dataclass(frozen=True)
class Seen:
    """A request as it reached an application."""

    application: str
    peer: str
    method: str
    target: str
    headers: Headers
    body: bytes
    trailers: Headers

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def one(self, name: str) -> str:
        return (self.all(name) or [""])[0]


@dataclass
class Record:
    """What all applications have seen, by the requests' numbers."""

    seen: dict[str, list[Seen]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    # Event streams wait for this before their second event.
    waiting: dict[str, threading.Event] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        with self.lock:
            self.seen.setdefault(seen.one(NUMBER), []).append(seen)

    def of(self, number: str) -> list[Seen]:
        with self.lock:
            return list(self.seen.get(number, []))

    def go_on(self, number: str) -> threading.Event:
        with self.lock:
            return self.waiting.setdefault(number, threading.Event())


class Application(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str, record: Record, connection: type[Connection] | None = None):
        super().__init__(("127.0.0.1", 0), connection or Connection)
        self.name, self.record = name, record
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A proxy that closes a connection is none."""

    @property
    def port(self) -> int:
        return self.server_address[1]


class Connection(socketserver.StreamRequestHandler):
    server: Application

    def handle(self) -> None:
        try:
            while self._one():
                pass
        except ValueError:
            # Not HTTP: what a proxy passes on to an application has to be, so the row that sent it finds nothing seen.
            pass

    def _fields(self) -> Headers:
        fields = []
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        return fields

    def _one(self) -> bool:
        first = self.rfile.readline().decode("latin-1").rstrip("\r\n")
        if not first:
            return False
        method, target, _ = first.split(" ", 2)
        headers = self._fields()
        lower = {name.lower(): value for name, value in headers}
        if lower.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, trailers = self._body(lower)
        seen = Seen(self.server.name, self.client_address[0], method, target, headers, body, trailers)
        self.server.record.add(seen)
        return self.answer(seen)

    def _body(self, lower: dict[str, str]) -> tuple[bytes, Headers]:
        if lower.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(lower.get("content-length", "0"))), []
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body, self._fields()

    def answer(self, seen: Seen) -> bool:
        """Whether the connection can take another request."""
        if seen.one("Upgrade"):
            return self.switch(seen)
        if seen.target == "/events":
            return self._events(seen)
        body, status, extra = f"{self.server.name}: {seen.method} {seen.target}\n".encode(), "200 OK", ""
        if seen.target == "/file" and (asked := re.fullmatch(r"bytes=(\d+)-(\d+)", seen.one("Range"))):
            start, end = int(asked[1]), int(asked[2])
            body, status = FILE[start : end + 1], "206 Partial Content"
            extra = f"Content-Range: bytes {start}-{end}/{len(FILE)}\r\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{extra}"
        # Two of its own have to reach the browser.
        head += "Set-Cookie: theme=dark; Path=/\r\nSet-Cookie: language=en; Path=/\r\n\r\n"
        self.wfile.write(head.encode() + (b"" if seen.method == "HEAD" else body))
        return True

    def switch(self, seen: Seen) -> bool:
        """A WebSocket that sends one message back. To any other protocol as well: then the harness sees it."""
        key = seen.one("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        upgrade = seen.one("Upgrade")
        self.wfile.write(
            f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        if upgrade.lower() != "websocket":
            return False
        start = self.rfile.read(2)
        if not start:
            return False
        length = start[1] & 0x7F
        mask, masked = self.rfile.read(4), self.rfile.read(length)
        text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
        self.wfile.write(bytes([0x81, length]) + text)
        return False

    def _events(self, seen: Seen) -> bool:
        # X-Accel-Buffering: as event streams say it to nginx.
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
            b"data: first\n\n"
        )
        self.server.record.go_on(seen.one(NUMBER)).wait(30)
        self.wfile.write(b"data: second\n\n")
        return False


def readings(target: str) -> set[str]:
    """Every path that some application might take a target for, in small letters."""
    found, new = set(), {re.split(r"[?#]", target, maxsplit=1)[0]}
    while new - found:
        found |= new
        new = {reading for path in found for reading in _read_once(path)}
    return {path.lower() for path in found}


def _read_once(path: str) -> list[str]:
    resolved: list[str] = []
    for part in path.split("/"):
        if part == "..":
            resolved = resolved[:-1] or [""]
        elif part != ".":
            resolved.append(part)
    return [
        unquote(path, "latin-1"),
        path.replace("\\", "/"),
        re.sub("/+", "/", path),
        re.sub(r";[^/]*", "", path),
        re.split(r"[?#]", path, maxsplit=1)[0],
        "/".join(resolved) or "/",
    ]
