"""What a client says of itself, where the answer of the gate has none of the names."""

from __future__ import annotations

from expectations import IDENTITY, lets_in
from messages import SCRIPT, Request
from table import Group, Row

FORGED = [(name, "alice") for name in IDENTITY]

GROUP = Group(
    "A yes that names nobody (Vestibule always names all): forged names are gone all the same",
    [
        *(
            Row(f"`{name}: alice`", Request(headers=[*SCRIPT, (name, "alice")]), lets_in(None))
            for name in (*IDENTITY, *(name.replace("-", "_") for name in IDENTITY))
        ),
        Row(
            "all of them, in capitals",
            Request(headers=[*SCRIPT, *((name.upper(), "x") for name, _ in FORGED)]),
            lets_in(None),
        ),
        Row("all of them, HTTP/2", Request(headers=[*SCRIPT, *FORGED], http2=True), lets_in(None)),
    ],
)
