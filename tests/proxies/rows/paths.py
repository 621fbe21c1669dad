"""Paths that can be read in more than one way: what is closed is never reached through what is open."""

from __future__ import annotations

import ssl

import http1
from application import NUMBER
from expectations import denied, either, lets_in, never_admin
from messages import SCRIPT, Answer, Request
from outcome import Expect, Outcome
from table import Group, Row, Visit

# Each leads to /admin/ if it is read in some way, and to what is open to anyone (/public/) in another.
TRICKS = [
    "/public/../admin/",
    "/public/%2e%2e/admin/",
    "/public/.%2e/admin/",
    "/public/..%2fadmin/",
    "/public%2f..%2fadmin/",
    "/public%2F..%2Fadmin/",
    "/public/..%5cadmin/",
    "/public/..\\admin/",
    "/public/;/../admin/",
    "/public/..;/admin/",
    "/public/x;/../../admin/",
    "/public/%3b/../admin/",
    "/public//../admin/",
    "/public/.//../admin/",
    "/public/../../admin/",
    "/public/x/%2e%2e/%2e%2e/admin/",
    "/public/%2e%2e%2fadmin%2f",
    "/public/../%61dmin/",
]
# Not one of the readings that a path may have: refused where there are rules (gate.md 3), also where it begins as if open.
IMPOSSIBLE = [
    "/public/..%00/admin/",
    "/public/%00",
    "/public/%0d%0aRemote-User:%20alice",
    "/public/%7f",
    "/public/..%c0%afadmin/",
    "/public/%ff",
    "/public/100%",
    "/public/%252e%252e/admin/",
    "/public/%25%32%65%25%32%65/admin/",
]
# Other spellings of what is closed.
SPELLINGS = [
    "/admin",
    "//admin/",
    "/./admin/",
    "/%61dmin/",
    "/%2561dmin/",
    "/ADMIN/",
    "/admin%2f",
    "/admin;x/",
    "/admin/;",
    "/x/../admin/",
    "/admin%00/",
    "/admin%20/",
    "\\admin/",
    "/admin?x=/public/",
    "/admin/?/public/",
    "/admin/#/public/",
    "/admin%23/public/",
    "/admin%3f/public/",
]
DENIED: Expect = denied(0, 400, 401, 403, 404)


def no_admin(*expectations: Expect) -> Expect:
    """Denied, or led elsewhere; never the administrators' page."""

    def must(outcome: Outcome) -> list[str]:
        return never_admin(outcome) + either(DENIED, denied(301, 307, 308), *expectations)(outcome)

    return must


def smuggled(visit: Visit) -> Outcome:
    """A body that is another request, for whoever goes by the other of the two lengths."""
    number = visit.number()
    inner = f"GET /admin/ HTTP/1.1\r\nHost: wiki.example.com\r\n{NUMBER}: {number}\r\n\r\n".encode()
    lengths = [("Content-Length", str(5 + len(inner))), ("Transfer-Encoding", "chunked")]
    request = Request("/public/page", "POST", [*SCRIPT, *lengths], who="bob")
    try:
        with http1.Connection(visit.front, request.server) as connection:
            connection.send(http1.head(request, visit.extra(request, number)) + b"0\r\n\r\n" + inner)
            answer = connection.answer()
    except (ConnectionError, ssl.SSLError):
        answer = Answer(0)
    return Outcome(request, answer, visit.record.of(number))


def raw(path: str) -> str:
    """In UTF-8, as a request has it, whose letters are bytes."""
    return path.encode().decode("latin-1")


def shown(path: str) -> str:
    return f"`{path}`"


GROUP = Group(
    "Paths",
    [
        *(Row(f"{shown(path)}; signed out", Request(path), no_admin(lets_in(None))) for path in TRICKS),
        *(
            Row(f"{shown(path)}; bob", Request(path, who="bob"), no_admin(lets_in(None), lets_in("bob")))
            for path in TRICKS
        ),
        *(Row(f"{shown(path)}; HTTP/2", Request(path, http2=True), no_admin(lets_in(None))) for path in TRICKS),
        *(Row(f"{shown(path)}; signed out", Request(path), DENIED) for path in IMPOSSIBLE),
        *(Row(f"{shown(path)}; bob", Request(path, who="bob"), DENIED) for path in IMPOSSIBLE),
        *(Row(f"{shown(path)}; HTTP/2", Request(path, who="bob", http2=True), DENIED) for path in IMPOSSIBLE),
        *(Row(f"{shown(path)}; bob", Request(path, who="bob"), no_admin(lets_in("bob"))) for path in SPELLINGS),
        *(
            Row(f"{shown(path)}: {what}", Request(path, who="bob"), lets_in("bob", target=path))
            for path, what in (
                ("/projects/a%2Fb", "an encoded slash, where no rule is"),
                ("/caf%C3%A9?q=a%26b", "as it was sent"),
                ("/a?n=//x/../y", "a query is never touched"),
            )
        ),
        *(
            Row(f"{what}{version}", Request(path, who="bob", http2=http2), must)
            for what, path, must in (
                ("`/café` in raw UTF-8; bob", raw("/café"), either(DENIED, lets_in("bob"))),
                ("`/public/é/../../admin/` in raw UTF-8; bob", raw("/public/é/../../admin/"), no_admin()),
                ("`/public/` and the raw byte FF; bob", "/public/\xff", DENIED),
                ("`/public/..`, the raw bytes C0 AF, `admin/`; bob", "/public/..\xc0\xafadmin/", DENIED),
            )
            for version, http2 in (("", False), ("; HTTP/2", True))
        ),
        Row("`/auth/../page`, signed out", Request("/auth/../page"), DENIED),
        Row("`/auth/..%2fadmin/`, signed out", Request("/auth/..%2fadmin/"), no_admin()),
        Row("`/auth%2f..%2fadmin/`, signed out", Request("/auth%2f..%2fadmin/"), no_admin()),
        Row("`/%61uth/../admin/`, signed out", Request("/%61uth/../admin/"), no_admin()),
        Row("`//auth/../admin/`, signed out", Request("//auth/../admin/"), no_admin()),
        Row(
            "`Content-Length` and `Transfer-Encoding`, `GET /admin/` behind",
            smuggled,
            no_admin(lets_in("bob"), denied(411)),
        ),
        Row("`GET *`", Request("*", who="bob"), DENIED),
        Row("`OPTIONS *`", Request("*", "OPTIONS", who="bob"), denied(0, 200, 204, 400, 403, 404)),
        Row("a path without a slash", Request("page", who="bob"), DENIED),
        Row("method `get`", Request(method="get", who="bob"), denied(0, 400, 403, 405)),
        Row("method `get` over HTTP/2", Request(method="get", http2=True, who="bob"), denied(0, 400, 403, 405)),
        Row("`TRACE`", Request(method="TRACE", who="bob"), either(denied(0, 400, 403, 405, 501), lets_in("bob"))),
        Row("`CONNECT`", Request("wiki.example.com:443", "CONNECT", who="bob"), denied(0, 400, 403, 404, 405, 501)),
    ],
)
