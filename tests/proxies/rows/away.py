"""Vestibule hangs, is slow or is gone, or its database is: whatever needs it is denied, in time."""

from __future__ import annotations

import time

from expectations import asked_to_sign_in, cannot_tell, denied, empty, lets_in, tries_again
from messages import NAVIGATION, SCRIPT, Request
from rows.ordinary import UPLOAD, WEBSOCKET
from outcome import Outcome
from table import Group, Row, Unlike, Visit

# By when each proxy answers, as docs/gate.md and the READMEs in deploy/ say. nginx asks twice, 3 s each; HAProxy four times,
# 1.5 s each; Traefik has no setting for it.
HANGS_SECONDS = {"nginx": 6, "haproxy": 6, "caddy": 3, "traefik": 30, "envoy": 3}
# At once, but for HAProxy, which tries to connect once a second.
GONE_SECONDS = {"nginx": 0, "haproxy": 3, "caddy": 0, "traefik": 0, "envoy": 0}
# For a machine that has other things to do as well.
ALLOWANCE_SECONDS = 5
FAILED = denied(500, 502, 503, 504)
SLOW_SECONDS = 1
EMPTY = Unlike(empty, "Envoy makes an empty 503 of every 5xx of a check.")


def within(bounds: dict[str, int], request: Request):
    """Complains if the answer comes later."""

    def send(visit: Visit) -> Outcome:
        began, bound = time.monotonic(), bounds[visit.proxy] + ALLOWANCE_SECONDS
        outcome = visit.ask(request)
        taken = time.monotonic() - began
        if taken > bound:
            outcome.complaints.append(f"after {taken:.1f} s, not within {bound} s")
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

HANGING = Group(
    "Vestibule hangs (SIGSTOP): denied, in the time that is said above, alice",
    [Row(what, within(HANGS_SECONDS, request), FAILED) for what, request in REQUESTS],
)
SLOW = Group(
    f"Vestibule answers after {SLOW_SECONDS} s: let in, alice",
    [Row(what, within(HANGS_SECONDS, request), lets_in("alice")) for what, request in REQUESTS[:3]],
)
NO_DATABASE = Group(
    "The database cannot tell: who has a session is denied, and not taken for nobody, alice",
    [
        Row("navigation: a page that tries again by itself", REQUESTS[0][1], tries_again, {"envoy": EMPTY}),
        *(
            Row(f"{what}: JSON with `Retry-After`", request, cannot_tell, {"envoy": EMPTY})
            for what, request in REQUESTS[1:5]
        ),
        Row("an open page", Request("/public/page"), lets_in(None)),
        Row("the same with her session", Request("/public/page", who="alice"), lets_in(None)),
        Row("signed out", Request(), asked_to_sign_in),
    ],
)
GONE = Group(
    "Vestibule is gone: denied, in the time that is said above, alice",
    [Row(what, within(GONE_SECONDS, request), FAILED) for what, request in REQUESTS],
)
