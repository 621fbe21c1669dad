"""Rows of the table: what is sent, and what must come of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import http1
import http2
from application import NUMBER, Record
from browser import Browser
from messages import Answer, Front, Headers, Request
from outcome import Expect, Outcome


Send = Callable[["Visit"], Outcome]
# What holds for every row, by the outcome and the client's address.
Holds = Callable[[Outcome, str], list[str]]


@dataclass(frozen=True)
class Unlike:
    """What one proxy does instead, and why nothing is lost by it."""

    must: Expect
    why: str


@dataclass(frozen=True)
class Row:
    what: str
    send: Request | Send
    must: Expect
    unlike: dict[str, Unlike] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    title: str
    rows: list[Row]


class Visit:
    """One proxy, with browsers of people who are signed in through it."""

    def __init__(self, proxy: str, front: Front, record: Record, holds: Holds):
        self.proxy, self.front, self.record, self.holds = proxy, front, record, holds
        self.browsers: dict[str, Browser] = {}
        self._sent = 0
        self._lock = threading.Lock()

    def number(self) -> str:
        with self._lock:
            self._sent += 1
            return f"{self.proxy}-{self.front.port}-{self._sent}"

    def extra(self, request: Request, number: str) -> Headers:
        """The request's number, and the cookies of whoever sends it: Vestibule's between two of the application's."""
        jar = self.browsers[request.who].cookies.get(request.server, {}) if request.who else {}
        cookies = [f"{name}={value}" for name, value in jar.items()]
        if request.with_cookies:
            cookies = ["before=1", *cookies, "after=2"]
        else:
            cookies = [cookie for cookie in cookies if cookie.startswith("__Host-")]
        return [(NUMBER, number), *([("Cookie", "; ".join(cookies))] if cookies else [])]

    def ask(self, request: Request) -> Outcome:
        number = self.number()
        way = http2 if request.http2 else http1
        answer = way.ask(self._front(request), request, self.extra(request, number))
        return Outcome(request, answer, self.record.of(number))

    def _front(self, request: Request) -> Front:
        return replace(self.front, client=request.client) if request.client else self.front

    def play(self, row: Row) -> Outcome:
        """Sends it. What is amiss is among the outcome's complaints."""
        unlike = row.unlike.get(self.proxy)
        must = unlike.must if unlike else row.must
        try:
            outcome = self.ask(row.send) if isinstance(row.send, Request) else row.send(self)
        except Exception as error:  # one row that breaks must not hide the others
            return Outcome(Request(), Answer(0), [], [repr(error)])
        outcome.complaints += must(outcome) + self.holds(outcome, self._front(outcome.request).client)
        return outcome
