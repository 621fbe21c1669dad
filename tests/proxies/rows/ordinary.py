"""What people and scripts do all day, and a session that ends."""

from __future__ import annotations

import base64
import time

import http1
from application import FILE
from expectations import asked_to_sign_in, denied, either, lets_in, to_sign_in
from messages import NAVIGATION, SCRIPT, Request
from outcome import Outcome
from table import Group, Row, Visit

PREFLIGHT = [
    ("Origin", "https://elsewhere.example"),
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "content-type"),
]
FORM = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "https://wiki.example.com"), *NAVIGATION]
UPLOAD = bytes(i % 251 for i in range(100_000))
KEY = base64.b64encode(bytes(16)).decode()
WEBSOCKET = [
    *(("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Origin", "https://wiki.example.com")),
    *(("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", KEY)),
]
OVER_HTTP2 = [("Origin", "https://wiki.example.com"), ("Sec-WebSocket-Version", "13")]
# A text of four letters, masked with four zeros, and as it comes back (RFC 6455).
PING, PONG = b"\x81\x84\0\0\0\0ping", b"\x81\x04ping"


def websocket(who: str | None):
    """A WebSocket with one message there and back."""

    def send(visit: Visit) -> Outcome:
        request, number = Request("/socket", headers=WEBSOCKET, who=who), visit.number()
        with http1.Connection(visit.front, request.server) as connection:
            connection.request(request, visit.extra(request, number))
            answer, amiss = connection.answer(), []
            if answer.status == 101:
                connection.send(PING)
                if connection.more() != PONG:
                    amiss.append("the message did not come back")
        return Outcome(request, answer, visit.record.of(number), amiss)

    return send


def next_request(visit: Visit) -> Outcome:
    """What the first request of a connection is, the second is not."""
    request, number = Request(), visit.number()
    with http1.Connection(visit.front, request.server) as connection:
        connection.request(request, visit.extra(Request(who="alice"), visit.number()))
        first = connection.answer()
        connection.request(request, visit.extra(request, number))
        answer = connection.answer()
    return Outcome(request, answer, visit.record.of(number), [] if first.status == 200 else [f"first {first.status}"])


def events(visit: Visit) -> Outcome:
    """The first event has to be there before the application sends the second."""
    request, number = Request("/events", headers=[("Accept", "text/event-stream")], who="alice"), visit.number()
    with http1.Connection(visit.front, request.server) as connection:
        connection.request(request, visit.extra(request, number))
        answer, text = connection.status_and_headers(), b""
        while b"first" not in text and (more := connection.more()):
            text += more
        visit.record.go_on(number).set()
        while b"second" not in text and (more := connection.more()):
            text += more
    amiss = [] if b"second" in text else ["the second event did not come"]
    return Outcome(request, answer, visit.record.of(number), amiss)


def waits_for_100(who: str | None):
    """A body that is sent only after somebody has asked for it."""

    def send(visit: Visit) -> Outcome:
        request, number = Request("/form", "POST", FORM, b"text=hello", who=who), visit.number()
        with http1.Connection(visit.front, request.server) as connection:
            connection.send(http1.head(request, [*visit.extra(request, number), ("Expect", "100-continue")]))
            answer = connection.status_and_headers()
            if answer.status == 100:
                connection.send(http1.body(request))
                answer = connection.answer()
        return Outcome(request, answer, visit.record.of(number))

    return send


def ended_elsewhere(visit: Visit) -> Outcome:
    """Signs out at the login host; the session of the application is over within 5 s (gate.md 4)."""
    person = visit.browsers["leaver"]
    at, page = person.load("https://login.example.net/auth/account")
    person.submit(at, page)
    request, end = Request(who="leaver"), time.monotonic() + 5
    while (outcome := visit.ask(request)).answer.status == 200 and time.monotonic() < end:
        time.sleep(0.1)
    return outcome


def groups_fit(visit: Visit) -> Outcome:
    outcome = visit.ask(Request(who="incident"))
    for seen in outcome.seen:
        groups = seen.one("Remote-Groups").split(",")
        if not groups[0].startswith("department-") or seen.one("X-Vestibule-Truncated") != "groups":
            outcome.complaints.append(f"{len(groups)} groups, {seen.one('X-Vestibule-Truncated')!r} cut")
    return outcome


def ranged(visit: Visit) -> Outcome:
    outcome = visit.ask(Request("/file", headers=[("Range", "bytes=10-19")], who="alice"))
    if outcome.answer.body != FILE[10:20]:
        outcome.complaints.append("other bytes")
    return outcome


def userinfo(visit: Visit) -> Outcome:
    outcome = visit.ask(Request("/auth/userinfo", who="alice"))
    if b"alice" not in outcome.answer.body:
        outcome.complaints.append(f"says {outcome.answer.body!r}")
    return outcome


def own_cookies(visit: Visit) -> Outcome:
    outcome = visit.ask(Request(who="alice"))
    if len(outcome.answer.all("Set-Cookie")) != 2:
        outcome.complaints.append(f"cookies of the application: {outcome.answer.all('Set-Cookie')}")
    return outcome


GROUP = Group(
    "Ordinary requests",
    [
        Row("navigation, signed out", Request(headers=NAVIGATION), to_sign_in),
        Row("the same over HTTP/2", Request(headers=NAVIGATION, http2=True), to_sign_in),
        Row("navigation, signed in", Request(headers=NAVIGATION, who="alice"), lets_in("alice")),
        Row("the same over HTTP/2", Request(headers=NAVIGATION, who="alice", http2=True), lets_in("alice")),
        Row(
            "the other application, by the same sign-in",
            Request(headers=NAVIGATION, who="alice", server="board.example.org"),
            lets_in("alice", application="board"),
        ),
        Row("script (`fetch`), signed out", Request(headers=SCRIPT), asked_to_sign_in),
        Row("script, signed in; two cookies of the application arrive", own_cookies, lets_in("alice")),
        Row("no cookies but Vestibule's own", Request(who="alice", with_cookies=False), lets_in("alice")),
        Row("the same, an open page", Request("/public/page", who="alice", with_cookies=False), lets_in(None)),
        Row("no cookies at all, an open page", Request("/public/page", with_cookies=False), lets_in(None)),
        Row("the next request on alice's connection, without her cookies", next_request, asked_to_sign_in),
        Row("WebSocket, signed out", websocket(None), asked_to_sign_in),
        Row("WebSocket, signed in, one message there and back", websocket("alice"), lets_in("alice", 101)),
        Row(
            "WebSocket over HTTP/2 (`:protocol`), signed out",
            Request("/socket", "CONNECT", OVER_HTTP2, http2=True, protocol="websocket"),
            denied(0, 400, 401, 403, 405, 501),
        ),
        Row(
            "the same, signed in: let in where the proxy can",
            Request("/socket", "CONNECT", OVER_HTTP2, http2=True, protocol="websocket", who="alice"),
            either(denied(0, 400, 403, 405, 501), lets_in("alice")),
        ),
        Row(
            "event stream, signed out", Request("/events", headers=[("Accept", "text/event-stream")]), asked_to_sign_in
        ),
        Row("event stream, signed in: the first event before the second is sent", events, lets_in("alice")),
        Row("a form is posted, signed out", Request("/form", "POST", FORM, b"text=hello"), denied(401)),
        Row(
            "a form is posted, signed in", Request("/form", "POST", FORM, b"text=hello", who="alice"), lets_in("alice")
        ),
        Row("POST with `Expect: 100-continue`, signed out", waits_for_100(None), denied(401)),
        Row("POST with `Expect: 100-continue`, signed in", waits_for_100("alice"), lets_in("alice")),
        Row("100 kB are uploaded, signed out", Request("/upload", "PUT", SCRIPT, UPLOAD), denied(401)),
        Row("100 kB are uploaded, signed in", Request("/upload", "PUT", SCRIPT, UPLOAD, who="alice"), lets_in("alice")),
        Row("HEAD, signed out", Request(method="HEAD"), denied(401)),
        Row("HEAD, signed in", Request(method="HEAD", who="alice"), lets_in("alice")),
        Row("range, signed in", ranged, lets_in("alice", 206)),
        Row("PROPFIND, signed in", Request(method="PROPFIND", who="alice"), lets_in("alice")),
        Row("CORS preflight (`OPTIONS`), signed out", Request(method="OPTIONS", headers=PREFLIGHT), denied(401)),
        Row(
            "the same where `preflight = true`",
            Request(method="OPTIONS", headers=PREFLIGHT, server="board.example.org"),
            lets_in(None, application="board"),
        ),
        Row("what is open to anyone (`/public/`), signed out", Request("/public/page"), lets_in(None)),
        Row("the same, signed in: nobody is named", Request("/public/page", who="alice"), lets_in(None)),
        Row("POST where only GET and HEAD are open", Request("/public/page", "POST", FORM, b"a=b"), denied(401)),
        Row(
            "the same as a GET with `X-HTTP-Method-Override: POST`",
            Request("/public/page", headers=[*SCRIPT, ("X-HTTP-Method-Override", "POST")]),
            denied(401),
        ),
        Row("`/admin/`, signed out", Request("/admin/", headers=NAVIGATION), to_sign_in),
        Row("`/admin/`, signed in, not one of the group", Request("/admin/", who="bob"), denied(403)),
        Row("`/admin/`, one of the group", Request("/admin/", who="alice"), lets_in("alice")),
        Row("somebody with 500 groups: as many as fit, and said so", groups_fit, lets_in("incident")),
        Row("`/auth/userinfo`, signed out", Request("/auth/userinfo"), denied(401)),
        Row("`/auth/userinfo`, signed in: Vestibule's own", userinfo, denied(200)),
        Row("a made-up session", Request(headers=[*SCRIPT, ("Cookie", "__Host-vestibule=made-up")]), asked_to_sign_in),
        Row(
            "a cookie of the wiki at the board",
            lambda visit: visit.ask(_at_the_board(visit)),
            asked_to_sign_in,
        ),
    ],
)

# Signs somebody out, so it comes last.
LAST = Group(
    "A session that ends", [Row("signed out at the login host, within 5 s", ended_elsewhere, asked_to_sign_in)]
)


def _at_the_board(visit: Visit) -> Request:
    cookies = visit.browsers["alice"].cookie_header("wiki.example.com")
    return Request(headers=[*SCRIPT, *cookies], server="board.example.org")
