"""What must come of a request. An expectation says what is amiss; nothing, if it holds."""

from __future__ import annotations

import base64
import json

from application import Seen, readings
from messages import Request
from outcome import Expect, Outcome
from silent import TWICE

IDENTITY = (
    "Remote-User",
    "Remote-Name",
    "Remote-Email",
    "Remote-Groups",
    "X-Vestibule-Assertion",
    "X-Vestibule-Truncated",
)
OURS = ("__Host-vestibule", "__Host-vestibule-flow")
HOSTS = {"wiki": "wiki.example.com", "board": "board.example.org"}
# What a proxy says of these is true; all others of their kind only a client can have sent.
SAID_BY_PROXIES = {
    *(
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
    ),
}
# In what a client must not be able to say.
SPOOFED = "spoofed"
PROXY_WORDS = ("forwarded", "x-forwarded-", "x-original-", "x-rewrite-", "x-real-")


def denied(*statuses: int) -> Expect:
    """No application sees it."""

    def must(outcome: Outcome) -> list[str]:
        amiss = [f"{seen.application} saw {seen.method} {seen.target}" for seen in outcome.seen]
        if outcome.answer.status not in statuses:
            amiss.append(f"status {outcome.answer.status}, not {' or '.join(map(str, statuses))}")
        return amiss

    return must


def to_sign_in(outcome: Outcome) -> list[str]:
    """Denied, and led to the login host; both of Vestibule's cookies arrive where it sets two."""
    amiss = denied(303)(outcome)
    if not outcome.answer.one("Location").startswith("https://login.example.net/auth/"):
        amiss.append(f"sent to {outcome.answer.one('Location')!r}")
    if not any(cookie.startswith("__Host-vestibule-flow=") for cookie in outcome.answer.all("Set-Cookie")):
        amiss.append("no browser key")
    return amiss


def asked_to_sign_in(outcome: Outcome) -> list[str]:
    """Denied as a script is: 401 with the address of the sign-in."""
    amiss = denied(401)(outcome)
    if outcome.answer.one("X-Vestibule-Login") not in {f"https://{host}/auth/login" for host in HOSTS.values()}:
        amiss.append(f"told to sign in at {outcome.answer.one('X-Vestibule-Login')!r}")
    if outcome.answer.all("WWW-Authenticate") != ["Cookie"]:
        amiss.append(f"WWW-Authenticate: {outcome.answer.all('WWW-Authenticate')}")
    return amiss


def cannot_tell(outcome: Outcome) -> list[str]:
    """Denied with Vestibule's own answer, for scripts."""
    amiss = denied(503)(outcome)
    if not outcome.answer.body.startswith(b'{"error":"store_unavailable"'):
        amiss.append(f"told {outcome.answer.body!r}")
    if not outcome.answer.one("Retry-After").isdecimal():
        amiss.append(f"Retry-After: {outcome.answer.all('Retry-After')}")
    return amiss


def tries_again(outcome: Outcome) -> list[str]:
    """Denied with a page that loads itself again, for people."""
    amiss, page = denied(503)(outcome), outcome.answer.body
    if b"store_unavailable" not in page or b'<meta http-equiv="refresh"' not in page:
        amiss.append(f"shown {page!r}")
    return amiss


def empty(outcome: Outcome) -> list[str]:
    """Denied, and nothing of Vestibule's answer is left."""
    return denied(503)(outcome) + ([f"told {outcome.answer.body!r}"] if outcome.answer.body else [])


def lets_in(who: str | None, status: int = 200, application: str = "wiki", target: str | None = None) -> Expect:
    """One application sees it once, as this person's."""

    def must(outcome: Outcome) -> list[str]:
        amiss = []
        if outcome.answer.status != status:
            amiss.append(f"status {outcome.answer.status}, not {status}")
        if [seen.application for seen in outcome.seen] != [application]:
            return [*amiss, f"seen by {[seen.application for seen in outcome.seen]}, not by {application} once"]
        seen = outcome.seen[0]
        if (seen.one("Remote-User") or None) != who:
            amiss.append(f"seen as {seen.one('Remote-User')!r}, not {who!r}")
        if target is not None and seen.target != target:
            amiss.append(f"seen as {seen.target!r}")
        if outcome.request.body and seen.body != outcome.request.body:
            amiss.append(f"{len(seen.body)} bytes of body")
        return amiss

    return must


def hears_none_of(names: tuple[str, ...], otherwise: Expect) -> Expect:
    """Nor is any of these headers said to an application."""

    def must(outcome: Outcome) -> list[str]:
        said = [f"{seen.application} heard {name}" for seen in outcome.seen for name in names if seen.all(name)]
        return otherwise(outcome) + said

    return must


def either(*expectations: Expect) -> Expect:
    """One of these holds."""

    def must(outcome: Outcome) -> list[str]:
        found = [expectation(outcome) for expectation in expectations]
        return [] if [] in found else [" and ".join(amiss) for amiss in found]

    return must


def never_admin(outcome: Outcome) -> list[str]:
    """Whatever happens, no application sees what some application could take for /admin/."""
    return [
        f"{seen.application} saw {seen.target}"
        for seen in outcome.seen
        if any(path == "/admin" or path.startswith("/admin/") for path in readings(seen.target))
    ]


def always(outcome: Outcome, client: str) -> list[str]:
    """What holds for each row, whatever it is about."""
    amiss = [f"{name} in the answer" for name in IDENTITY if outcome.answer.all(name)]
    for cookie in outcome.answer.all("Set-Cookie"):
        if cookie.startswith("__Host-") and ("domain=" in cookie.lower() or "path=/;" not in cookie.lower() + ";"):
            amiss.append(f"set: {cookie}")
    for seen in outcome.seen:
        amiss += _application(seen, client) + _cookies(seen, outcome.request)
    return amiss


def names_nobody(outcome: Outcome, _client: str) -> list[str]:
    """Instead of `always`, where the answer of the gate has no names, unless it was asked for them."""
    if any(name == TWICE for name, _ in outcome.request.headers):
        return []
    names = {name.lower() for name in IDENTITY}
    return [
        f"{name}: {value} seen"
        for seen in outcome.seen
        for name, value in seen.headers
        if name.lower().replace("_", "-") in names and value
    ]


def _assertion(seen: Seen) -> str | None:
    """Who it is by the assertion, if that is for this application. Its signature is looked at elsewhere (docs/gate.md)."""
    if not seen.one("X-Vestibule-Assertion"):
        return None
    payload = seen.one("X-Vestibule-Assertion").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return (
        claims["preferred_username"] if claims["aud"] == f"https://{HOSTS[seen.application]}" else f"of {claims['aud']}"
    )


def _cookies(seen: Seen, request: Request) -> list[str]:
    """All of the application's, none of Vestibule's."""
    amiss = [f"cookie {name} seen" for name in OURS if any(f"{name}=" in line for line in seen.all("Cookie"))]
    cookies = {pair.strip() for line in seen.all("Cookie") for pair in line.split(";")}
    if not request.with_cookies:
        return amiss + [f"cookies {cookies} seen"] if cookies - {""} else amiss
    return amiss + [f"cookie {name} lost" for name in ("before=1", "after=2") if name not in cookies]


def _application(seen: Seen, client: str) -> list[str]:
    amiss = [f"header {name} seen" for name, _ in seen.headers if "_" in name]
    amiss += [f"trailer {name} seen" for name, _ in seen.trailers]
    for name, value in seen.headers:
        low = name.lower()
        if low.startswith(PROXY_WORDS) and low not in SAID_BY_PROXIES:
            amiss.append(f"header {name}: {value} seen")
    amiss += [f"{name} is {seen.all(name)}" for name in ("X-Real-IP", "X-Forwarded-For") if seen.all(name) != [client]]
    amiss += [f"{name} is there twice" for name in IDENTITY if len(seen.all(name)) > 1]
    for name in ("Host", "X-Forwarded-Host"):
        if seen.all(name) != [HOSTS[seen.application]]:
            amiss.append(f"{name} is {seen.all(name)}")
    if len(seen.all("X-Forwarded-Proto")) != 1 or seen.one("X-Forwarded-Proto") not in ("https", "wss"):
        amiss.append(f"X-Forwarded-Proto is {seen.all('X-Forwarded-Proto')}")
    amiss += [f"header {name}: {value} seen" for name, value in seen.headers if SPOOFED in value]
    if (said := _assertion(seen)) != (seen.one("Remote-User") or None):
        amiss.append(f"named {seen.one('Remote-User')!r}, and the assertion says {said!r}")
    if seen.one("Upgrade").lower() not in ("", "websocket"):
        amiss.append(f"upgrade to {seen.one('Upgrade')} seen")
    return amiss
