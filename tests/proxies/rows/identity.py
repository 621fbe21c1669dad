"""Forged identity in every form, and everything else that only a proxy may say."""

from __future__ import annotations

from expectations import SPOOFED, asked_to_sign_in, denied, either, hears_none_of, lets_in
from messages import SCRIPT, Request
from outcome import Expect
from table import Group, Row, Unlike

# Vestibule refuses what it sees, and some proxies remove it before: both keep it from the application.
REFUSED = denied(400, 401)


def with_headers(*headers: tuple[str, str], **more: object) -> Request:
    return Request(headers=[*SCRIPT, *headers], **more)


def forged(what: str, *headers: tuple[str, str]) -> list[Row]:
    """To a page of someone who is signed in, to an open one, and to one that needs a session."""
    as_bob: Expect = either(denied(400), lets_in("bob"))
    as_nobody: Expect = either(denied(400), lets_in(None))
    return [
        Row(f"{what}; bob", with_headers(*headers, who="bob"), as_bob),
        Row(f"{what}; HTTP/2", with_headers(*headers, who="bob", http2=True), either(denied(400, 0), lets_in("bob"))),
        Row(f"{what}; an open page", with_headers(*headers, target="/public/page"), as_nobody),
        Row(f"{what}; signed out", with_headers(*headers), REFUSED),
    ]


FORGED = [
    row
    for rows in (
        forged("`Remote-User: alice`", ("Remote-User", "alice")),
        forged("`REMOTE-USER: alice`", ("REMOTE-USER", "alice")),
        forged("`Remote-User: alice` twice", ("Remote-User", "alice"), ("Remote-User", "alice")),
        forged("`Remote_User: alice`", ("Remote_User", "alice")),
        forged("`X_Vestibule-Assertion: a.b.c`", ("X_Vestibule-Assertion", "a.b.c")),
        forged("`X-Vestibule-Assertion: a.b.c`", ("X-Vestibule-Assertion", "a.b.c")),
        forged("`Remote-Groups: staff` (in no answer to bob)", ("Remote-Groups", "staff")),
        forged("`X-Vestibule-Truncated: groups` (in no answer to bob)", ("X-Vestibule-Truncated", "groups")),
    )
    for row in rows
]

# By which an application may still go that was behind another gate.
OF_OTHER_GATES = (
    "X-Access-Token",
    "X-Auth-Request-Access-Token",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-User",
    "X-Email",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-User",
    "X-Groups",
    "X-Remote-Email",
    "X-Remote-Group",
    "X-Remote-Groups",
    "X-Remote-Name",
    "X-Remote-User",
    "X-User",
    "X-WEBAUTH-EMAIL",
    "X-WEBAUTH-FULLNAME",
    "X-WEBAUTH-GROUPS",
    "X-WEBAUTH-NAME",
    "X-WEBAUTH-ROLE",
    "X-WEBAUTH-USER",
)
FOREIGN = [
    Row(
        f"`X-Auth-Request-User: alice`, `X-User: alice` and all such names of other gates; {what}",
        with_headers(*((name, "alice") for name in OF_OTHER_GATES), target=target, who=who, http2=http2),
        hears_none_of(OF_OTHER_GATES, lets_in(who)),
    )
    for what, target, who, http2 in (
        ("bob", "/page", "bob", False),
        ("HTTP/2", "/page", "bob", True),
        ("an open page", "/public/page", None, False),
    )
]

CONNECTION = [
    Row(
        f"`Connection: {name}`",
        with_headers(("Connection", f"keep-alive, {name}"), who="bob"),
        either(denied(400, 401), lets_in("bob")),
    )
    for name in ("Remote-User", "X-Forwarded-For", "X-Forwarded-Uri", "X-Real-IP", "Cookie")
]

TRAILERS = [
    Row(
        f"`Remote-User: alice` as a trailer, {what}",
        Request(
            "/form",
            method,
            [*SCRIPT, *headers],
            body,
            [("Remote-User", "alice")],
            who="bob",
            http2=http2,
            body_after_seconds=seconds,
        ),
        either(denied(400, 411, 0), lets_in("bob")),
    )
    for what, method, headers, body, http2, seconds in (
        ("announced", "POST", [("Trailer", "Remote-User")], b"a=b", False, 0),
        ("announced, half a second later", "POST", [("Trailer", "Remote-User")], b"a=b", False, 0.5),
        ("not announced", "POST", [], b"a=b", False, 0),
        ("not announced, half a second later", "POST", [], b"a=b", False, 0.5),
        ("of a GET", "GET", [], b"a=b", False, 0),
        ("HTTP/2", "POST", [], b"a=b", True, 0),
        ("HTTP/2, half a second later", "POST", [], b"a=b", True, 0.5),
        ("HTTP/2, without a body", "GET", [], b"", True, 0),
        ("HTTP/2, without a body, half a second later", "GET", [], b"", True, 0.5),
        ("HTTP/2, with a length", "POST", [("Content-Length", "3")], b"a=b", True, 0),
        ("HTTP/2, with a length, half a second later", "POST", [("Content-Length", "3")], b"a=b", True, 0.5),
    )
]

SPOOFED = [
    Row(f"`{name}: {value}`{where}", with_headers((name, value), target=target, who=who), must)
    for name, value in (
        ("X-Forwarded-Uri", "/public/"),
        ("X-Forwarded-Host", "board.example.org"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Server", SPOOFED),
        ("X-Forwarded-Port", f"1{SPOOFED}"),
        ("X-Forwarded-User", "alice"),
        ("X-Real-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;host=board.example.org"),
        ("X-Original-URL", "/public/"),
        ("X-Original-URI", "/public/"),
        ("X-Original-Method", "GET"),
        ("X-Rewrite-URL", "/public/"),
        ("X-HTTP-Method-Override", "GET"),
    )
    for where, target, who, must in (
        ("; signed out", "/page", None, denied(401)),
        ("; bob", "/page", "bob", lets_in("bob")),
    )
]

MORE = [
    Row(
        "`X_Forwarded_Uri: /public/`",
        with_headers(("X_Forwarded_Uri", "/public/")),
        denied(400, 401),
    ),
    Row(
        "`X-Forwarded-Uri: /public/` twice",
        with_headers(("X-Forwarded-Uri", "/public/"), ("X-Forwarded-Uri", "/public/")),
        denied(400, 401),
    ),
    Row(
        "`Connection: X-Forwarded-Uri` and the header",
        with_headers(("Connection", "X-Forwarded-Uri"), ("X-Forwarded-Uri", "/public/")),
        denied(400, 401),
    ),
    Row(
        "`User-Agent: kube-probe/1.29`, as health checks have it",
        with_headers(("User-Agent", "kube-probe/1.29")),
        denied(401),
    ),
    Row(
        "`Upgrade: h2c`, bob",
        with_headers(
            ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk"), who="bob"
        ),
        either(denied(400, 403), lets_in("bob")),
    ),
    Row(
        "`Upgrade: h2c` to an open page",
        with_headers(
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABk"),
            target="/public/page",
        ),
        either(denied(400, 403), lets_in(None)),
    ),
    Row(
        "`Upgrade: h2c` and `Upgrade: websocket`, an open page",
        with_headers(
            ("Connection", "Upgrade"),
            ("Upgrade", "h2c"),
            ("Upgrade", "websocket"),
            target="/public/page",
        ),
        either(denied(400, 401, 403), lets_in(None), lets_in(None, 101)),
    ),
    Row(
        "`:protocol: h2c` (a tunnel through HTTP/2) to an open page",
        Request("/public/page", "CONNECT", SCRIPT, http2=True, protocol="h2c"),
        either(denied(0, 400, 401, 403, 404, 405, 501), lets_in(None)),
    ),
    Row(
        "two lines `Cookie`, the session in the second",
        lambda visit: visit.ask(
            Request(headers=[*SCRIPT, *visit.browsers["bob"].cookie_header("wiki.example.com")]),
        ),
        lets_in("bob"),
        {
            "envoy": Unlike(
                asked_to_sign_in, "The configuration for Envoy takes the first of several lines: nobody is let in."
            )
        },
    ),
]

GROUP = Group(
    "Forged identity, and other words that only a proxy may say", [*FORGED, *FOREIGN, *CONNECTION, *TRAILERS, *SPOOFED, *MORE]
)
