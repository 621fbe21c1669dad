"""What is sent and what comes back, as bytes on the wire have it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

Headers = list[tuple[str, str]]

# As browsers send them.
NAVIGATION: Headers = [
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
]
SCRIPT: Headers = [
    ("Accept", "application/json"),
    ("Sec-Fetch-Dest", "empty"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Site", "same-origin"),
]


@dataclass(frozen=True)
class Request:
    """A request. Nothing in it is corrected on its way to the proxy."""

    target: str = "/page"
    method: str = "GET"
    headers: Headers = field(default_factory=lambda: list(SCRIPT))
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    # What TLS is told, and the Host header unless `headers` has one.
    server: str = "wiki.example.com"
    host: str | None = None
    http2: bool = False
    # How long its body waits after its headers.
    body_after_seconds: float = 0
    # `:protocol` of HTTP/2 (RFC 8441): asks for a tunnel, as for a WebSocket.
    protocol: str | None = None
    # Whether it has cookies of the application, before and after those of Vestibule.
    with_cookies: bool = True
    # From which address of loopback, if not from that of everybody at this proxy.
    client: str | None = None
    # Whose session, if anybody's.
    who: str | None = None

    def lines(self, extra: Headers) -> Headers:
        """All headers but those of the body, in HTTP/1.1's form."""
        host = [] if any(name.lower() == "host" for name, _ in self.headers) else [("Host", self.host or self.server)]
        return host + extra + self.headers


@dataclass(frozen=True)
class Answer:
    """Status 0: none, the connection was closed or reset."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def one(self, name: str) -> str:
        return (self.all(name) or [""])[0]


@dataclass(frozen=True)
class Front:
    """Where a proxy listens, and from which address of loopback its clients come."""

    port: int
    client: str
    authority: Path

    def tls(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority)
        context.set_alpn_protocols(list(protocols))
        return context
