"""What a client says, where the answer of the gate has none of the names; and what reaches Vestibule's public address."""

from __future__ import annotations

from expectations import IDENTITY, denied, lets_in
from messages import SCRIPT, Request
from outcome import Outcome
from silent import COOKIES, DENY, TWICE, TWO
from table import Group, Row, Unlike

FORGED = [(name, "alice") for name in IDENTITY]


def both_cookies(outcome: Outcome) -> list[str]:
    amiss = denied(401)(outcome)
    if tuple(outcome.answer.all("Set-Cookie")) != COOKIES:
        amiss.append(f"cookies {outcome.answer.all('Set-Cookie')}")
    return amiss


def both_of_two(outcome: Outcome) -> list[str]:
    """An application sees both, as two lines or as one; nothing else."""
    named = [seen.all("Remote-User") for seen in outcome.seen]
    return [] if named in ([list(TWO)], [[",".join(TWO)]]) else [f"named {named}"]


WHY = "Caddy joins by a comma what an answer names twice, and Traefik passes both on. No answer of Vestibule has a name twice."
BOTH_PASS = {"caddy": Unlike(both_of_two, WHY), "traefik": Unlike(both_of_two, WHY)}


def one_of_two(outcome: Outcome) -> list[str]:
    """What an application sees is one of the two, or none sees it."""
    named = [seen.all("Remote-User") for seen in outcome.seen]
    return [] if named in ([], *([[person]] for person in TWO)) else [f"named {named}"]


GROUP = Group(
    "Another gate: by a yes that names nobody (Vestibule always names all), no forged name gets through",
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
        Row("a yes with two lines `Remote-User`", Request(headers=[*SCRIPT, (TWICE, "1")]), one_of_two, BOTH_PASS),
        Row("the same, HTTP/2", Request(headers=[*SCRIPT, (TWICE, "1")], http2=True), one_of_two, BOTH_PASS),
        Row("a no with two cookies: both arrive", Request(headers=[*SCRIPT, (DENY, "1")]), both_cookies),
        Row("the same, HTTP/2", Request(headers=[*SCRIPT, (DENY, "1")], http2=True), both_cookies),
    ],
)

FOUR = ("X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri")
SAID = [*((name, "https") for name in FOUR), ("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1")]


def reaches_vestibule(outcome: Outcome) -> list[str]:
    """With its own host and the peer's address, and without what the checks alone are told."""
    amiss = lets_in(None, application="vestibule")(outcome)
    for seen in outcome.seen:
        amiss += [f"{name}: {seen.all(name)} seen" for name in FOUR if any(seen.all(name))]
        if seen.all("Host") != [outcome.request.server]:
            amiss.append(f"Host is {seen.all('Host')}")
        if len(seen.all("X-Forwarded-For")) != 1 or not seen.one("X-Forwarded-For").startswith("127.0.0."):
            amiss.append(f"X-Forwarded-For is {seen.all('X-Forwarded-For')}")
    return amiss


PUBLIC = Group(
    "What Vestibule's public address sees (an application is in its place here): its host, the peer's address, no question",
    [
        Row(
            f"`{path}` of {host}, with all that only a proxy may say",
            Request(path, headers=SAID, server=host),
            reaches_vestibule,
        )
        for path, host in (
            ("/auth/login", "wiki.example.com"),
            ("/auth/assets/x.js", "board.example.org"),
            ("/auth/login", "login.example.net"),
            ("/", "login.example.net"),
        )
    ],
)
