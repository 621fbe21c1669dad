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
from messages import Front, Request
from outcome import Outcome
from rows import AWAY, ORDINARY
from rows.away import GONE, HANGING, SLOW, SLOW_SECONDS
from table import Group, Row, Visit

HOSTS = ["wiki.example.com", "board.example.org", "login.example.net"]
PEOPLE = {"alice": "alice", "bob": "bob", "incident": "incident", "leaver": "bob"}

# By row, in order, and by proxy.
Results = list[tuple[Group, list[tuple[Row, dict[str, Outcome]]]]]


class House:
    def __init__(self, folder: Path, proxies: list[Proxy]):
        self._undo = contextlib.ExitStack()
        self.visits: list[Visit] = []
        try:
            self._build(folder, proxies)
        except BaseException:
            self.close()
            raise

    def _build(self, folder: Path, proxies: list[Proxy]) -> None:
        made = certificates.make(folder / "tls", HOSTS)
        record = Record()
        wiki, board = Application("wiki", record), Application("board", record)
        self.program = program.start(folder / "vestibule")
        self._undo.callback(self.program.stop)
        upstreams = Upstreams(self.program.public, self.program.gate, wiki.port, board.port)
        for place, (proxy, port) in enumerate(zip(proxies, free_ports(len(proxies)))):
            child = proxy.run(folder / proxy.name, port, upstreams, made)
            self._undo.callback(child.stop)
            # An address of its own for each, as clients have: the rate limits count by it, and applications are told.
            front = Front(port, f"127.0.0.{10 + place}", made.authority)
            visit = Visit(proxy.name, front, record, {})
            self.visits.append(visit)
            _passes_on(visit)

    def close(self) -> None:
        self._undo.close()

    def play(self) -> Results:
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(self._sign_in, self.visits))
            by_visit = list(pool.map(lambda visit: [self._play(visit, group) for group in ORDINARY], self.visits))
            results = [
                _by_row(group, {visit.proxy: played[at] for visit, played in zip(self.visits, by_visit)})
                for at, group in enumerate(ORDINARY)
            ]
            return results + [self._away(group, pool) for group in AWAY]

    def _sign_in(self, visit: Visit) -> None:
        for name, person in PEOPLE.items():
            browser = visit.browsers[name] = Browser(visit.front)
            for host in HOSTS[:2]:
                browser.sign_in(f"https://{host}/page", person)

    def _play(self, visit: Visit, group: Group) -> list[Outcome]:
        return [visit.play(row) for row in group.rows]

    def _away(self, group: Group, pool: ThreadPoolExecutor) -> tuple[Group, list[tuple[Row, dict[str, Outcome]]]]:
        """All rows for all proxies at once, while Vestibule is in this state."""
        vestibule: Child = self.program.vestibule
        (vestibule.stop if group is GONE else vestibule.hang)()
        if group is SLOW:
            threading.Timer(SLOW_SECONDS, vestibule.wake).start()
        asked = {visit.proxy: [pool.submit(visit.play, row) for row in group.rows] for visit in self.visits}
        played = {proxy: [outcome.result() for outcome in outcomes] for proxy, outcomes in asked.items()}
        if group is HANGING:
            vestibule.wake()
        return _by_row(group, played)


def _passes_on(visit: Visit) -> None:
    """Some proxies listen before they have read all of their files."""
    end = time.monotonic() + 30
    while (answer := visit.ask(Request("/public/page")).answer).status != 200:
        if time.monotonic() > end:
            raise RuntimeError(f"{visit.proxy} answers {answer.status}: {answer.body[:500]!r}")
        time.sleep(0.1)


def _by_row(group: Group, played: dict[str, list[Outcome]]) -> tuple[Group, list[tuple[Row, dict[str, Outcome]]]]:
    rows = [(row, {proxy: outcomes[at] for proxy, outcomes in played.items()}) for at, row in enumerate(group.rows)]
    return group, rows
