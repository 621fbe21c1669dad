"""Everything that the table needs: applications, Vestibule with its provider, and the proxies in front."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import certificates
import program
from application import Application, Record
from browser import Browser
from children import Child, free_ports
from deployed import Proxy, Upstreams
from expectations import always, names_nobody
from messages import Answer, Front, Request
from outcome import Outcome
from rows import AWAY, ORDINARY, SILENT
from rows.away import GONE, HANGING, NO_DATABASE, SLOW, SLOW_SECONDS
from silent import SilentGate
from table import Group, Holds, Row, Visit

HOSTS = ["wiki.example.com", "board.example.org", "login.example.net"]
PEOPLE = {"alice": "alice", "bob": "bob", "incident": "incident", "leaver": "bob"}

# By row, in order, and by proxy.
Results = list[tuple[Group, list[tuple[Row, dict[str, Outcome]]]]]


class House:
    def __init__(self, folder: Path, proxies: list[Proxy]):
        self._undo = contextlib.ExitStack()
        try:
            self._build(folder, proxies)
        except BaseException:
            self.close()
            raise

    def _build(self, folder: Path, proxies: list[Proxy]) -> None:
        made = certificates.make(folder / "tls", HOSTS)
        record = Record()
        wiki, board = Application("wiki", record), Application("board", record)
        self.program = program.start(folder / "vestibule", made)
        self._undo.callback(self.program.stop)
        ports = iter(free_ports(2 * len(proxies)))

        def visits(name: str, public: int, gate: int, holds: Holds) -> list[Visit]:
            upstreams = Upstreams(public, gate, wiki.port, board.port)
            found = []
            for place, proxy in enumerate(proxies):
                port = next(ports)
                self._undo.callback(proxy.run(folder / f"{proxy.name}-{name}", port, upstreams, made).stop)
                # An address of its own for each, as clients have: the rate limits count by it, and applications are told.
                found.append(Visit(proxy.name, Front(port, f"127.0.0.{10 + place}", made.authority), record, holds))
            return found

        self.visits = visits("vestibule", self.program.public, self.program.gate, always)
        self.silent = visits("silent", Application("vestibule", record).port, SilentGate().port, names_nobody)
        for visit in self.visits + self.silent:
            # Some proxies listen before they have read all of their files.
            answer = _until(visit, Request("/public/page"), 200)
            if answer.status != 200:
                raise RuntimeError(f"{visit.proxy} answers {answer.status}: {answer.body[:500]!r}")

    def close(self) -> None:
        self._undo.close()

    def play(self) -> Results:
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(self._sign_in, self.visits))
            ordinary = self._side_by_side(ORDINARY, self.visits, pool)
            silent = self._side_by_side(SILENT, self.silent, pool)
            return ordinary + silent + [self._away(group, pool) for group in AWAY]

    def _side_by_side(self, groups: list[Group], visits: list[Visit], pool: ThreadPoolExecutor) -> Results:
        """Each proxy's rows one after the other, all proxies at once."""
        played = list(pool.map(lambda visit: [[visit.play(row) for row in group.rows] for group in groups], visits))
        by_proxy = {visit.proxy: outcomes for visit, outcomes in zip(visits, played, strict=True)}
        return [
            _by_row(group, {proxy: outcomes[at] for proxy, outcomes in by_proxy.items()})
            for at, group in enumerate(groups)
        ]

    def _sign_in(self, visit: Visit) -> None:
        for name, person in PEOPLE.items():
            browser = visit.browsers[name] = Browser(visit.front)
            browser.sign_in("https://wiki.example.com/page", person)
            # The other application is open by then, without a page being shown.
            at, page = browser.load("https://board.example.org/page")
            if (at, page.status) != ("https://board.example.org/page", 200):
                raise RuntimeError(f"{person} was shown {at} ({page.status})")

    def _away(self, group: Group, pool: ThreadPoolExecutor) -> tuple[Group, list[tuple[Row, dict[str, Outcome]]]]:
        """All rows for all proxies at once, while Vestibule is in this state."""
        vestibule: Child = self.program.vestibule
        if group is NO_DATABASE:
            self.program.lose_database()
        elif group is GONE:
            vestibule.stop()
        else:
            vestibule.hang()
        if group is SLOW:
            threading.Timer(SLOW_SECONDS, vestibule.wake).start()
        asked = {visit.proxy: [pool.submit(visit.play, row) for row in group.rows] for visit in self.visits}
        played = {proxy: [outcome.result() for outcome in outcomes] for proxy, outcomes in asked.items()}
        if group is HANGING:
            vestibule.wake()
        return _by_row(group, played)


def _until(visit: Visit, request: Request, status: int) -> Answer:
    """Asks until this comes back, for a minute at most. The last answer."""
    end = time.monotonic() + 60
    while (answer := visit.ask(request).answer).status != status and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def _by_row(group: Group, played: dict[str, list[Outcome]]) -> tuple[Group, list[tuple[Row, dict[str, Outcome]]]]:
    rows = [(row, {proxy: outcomes[at] for proxy, outcomes in played.items()}) for at, row in enumerate(group.rows)]
    return group, rows
