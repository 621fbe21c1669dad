"""Vestibule hangs, is slow, or is gone: whatever needs it is denied, within a bound."""

from __future__ import annotations

import time

from expectations import denied, lets_in
from messages import NAVIGATION, SCRIPT, Request
from rows.ordinary import UPLOAD, WEBSOCKET
from outcome import Outcome
from table import Group, Row, Unlike, Visit

# nginx asks twice, 3 s each; HAProxy four times, 1.5 s each.
BOUND_SECONDS = 9
TRAEFIK_SECONDS = 33
TRAEFIK = "Traefik gives up after 30 s and has no setting for it. Until then the browser waits; nobody gets in."
FAILED = denied(500, 502, 503, 504)
SLOW_SECONDS = 1


def within(seconds: float, request: Request):
    """Complains if the answer comes later."""

    def send(visit: Visit) -> Outcome:
        began = time.monotonic()
        outcome = visit.ask(request)
        taken = time.monotonic() - began
        if taken > seconds:
            outcome.complaints.append(f"after {taken:.1f} s, not within {seconds} s")
        return outcome

    return send


REQUESTS = [
    ("navigation", Request(headers=NAVIGATION, who="alice")),
    ("script", Request(headers=SCRIPT, who="alice")),
    ("script over HTTP/2", Request(headers=SCRIPT, who="alice", http2=True)),
    ("WebSocket", Request("/socket", headers=WEBSOCKET, who="alice")),
    ("100 kB are uploaded", Request("/upload", "PUT", SCRIPT, UPLOAD, who="alice")),
    ("an open page", Request("/public/page")),
    ("the page of an administrator, signed out", Request("/admin/")),
]


def hanging() -> list[Row]:
    """Traefik has a bound of its own."""
    return [
        Row(
            what,
            within(BOUND_SECONDS, request),
            FAILED,
            {"traefik": Unlike(FAILED, TRAEFIK, within(TRAEFIK_SECONDS, request))},
        )
        for what, request in REQUESTS
    ]


HANGING = Group(f"Vestibule hangs (SIGSTOP): denied within {BOUND_SECONDS} s, alice", hanging())
SLOW = Group(
    f"Vestibule answers after {SLOW_SECONDS} s: let in, alice",
    [Row(what, within(BOUND_SECONDS, request), lets_in("alice")) for what, request in REQUESTS[:3]],
)
GONE = Group(
    f"Vestibule is gone: denied within {BOUND_SECONDS} s, alice",
    [Row(what, within(BOUND_SECONDS, request), FAILED) for what, request in REQUESTS],
)
