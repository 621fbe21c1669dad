"""What Vestibule learns about the client's address through each proxy: a rule with `addresses` goes by it."""

from __future__ import annotations

from expectations import denied, lets_in
from messages import SCRIPT, Headers, Request
from program import INSIDE
from table import Group, Row

# The others come from addresses that the rule names (house.py).
OUTSIDE = "127.0.0.20"
FORGED = "127.0.0.10"
IN = lets_in(None, application="board")


def at_inside(headers: Headers = (), **more: object) -> Request:
    return Request("/inside/page", headers=[*SCRIPT, *headers], server="board.example.org", **more)


GROUP = Group(
    f"A rule with `addresses`: a page that is open from {INSIDE} alone",
    [
        Row("from there", at_inside(), IN),
        Row("the same over HTTP/2", at_inside(http2=True), IN),
        Row("from there, `X-Forwarded-For: 192.0.2.1`", at_inside([("X-Forwarded-For", "192.0.2.1")]), IN),
        Row(f"from elsewhere ({OUTSIDE})", at_inside(client=OUTSIDE), denied(403)),
        Row("the same over HTTP/2", at_inside(client=OUTSIDE, http2=True), denied(403)),
        *(
            Row(f"from elsewhere, {what}", at_inside(headers, client=OUTSIDE, http2=http2), denied(400, 403))
            for what, headers, http2 in (
                (f"`X-Forwarded-For: {FORGED}`", [("X-Forwarded-For", FORGED)], False),
                ("the same over HTTP/2", [("X-Forwarded-For", FORGED)], True),
                ("the same in two lines", [("X-Forwarded-For", FORGED)] * 2, False),
                (f"`X-Forwarded-For: {FORGED}, {FORGED}`", [("X-Forwarded-For", f"{FORGED}, {FORGED}")], False),
                ("`X-Forwarded-For:` with nothing", [("X-Forwarded-For", "")], False),
                (f"`X_Forwarded_For: {FORGED}`", [("X_Forwarded_For", FORGED)], False),
                (f"`X-Real-IP: {FORGED}`", [("X-Real-IP", FORGED)], False),
                (f"`Forwarded: for={FORGED}`", [("Forwarded", f"for={FORGED}")], False),
                ("`Connection: X-Forwarded-For`", [("Connection", "keep-alive, X-Forwarded-For")], False),
            )
        ),
    ],
)
