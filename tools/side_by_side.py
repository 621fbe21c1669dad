"""Two servers asked in turn, a few seconds each, so that whatever else the machine does meets both; what counts is the median
of the rounds. The server has one processor, what asks has another (`wrk`, 16 connections that are kept).
"""

from __future__ import annotations

import contextlib
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER, CLIENT = "0", "1"
ROUNDS, SECONDS, CONNECTIONS = 5, 4, 16
# Of the bare handler's.
LEAST_THROUGHPUT, MOST_P99 = 0.8, 2.0
LISTENS_WITHIN = 60


@dataclass(frozen=True)
class Asked:
    """What one round says."""

    rate: float
    p99: float


@dataclass(frozen=True)
class Row:
    """A check beside the bare handler in the same rounds."""

    name: str
    bare: list[Asked]
    check: list[Asked]

    def rate(self) -> float:
        return statistics.median(check.rate / bare.rate for check, bare in zip(self.check, self.bare))

    def p99(self) -> float:
        return statistics.median(check.p99 for check in self.check) / statistics.median(bare.p99 for bare in self.bare)

    def is_good(self) -> bool:
        return self.rate() >= LEAST_THROUGHPUT and self.p99() <= MOST_P99

    def __str__(self) -> str:
        def middle(asked: list[Asked]) -> str:
            rate = statistics.median(one.rate for one in asked)
            return f"{rate:,.0f} | {statistics.median(one.p99 for one in asked):.2f} ms"

        return f"| {self.name} | {middle(self.bare)} | {middle(self.check)} | {self.rate():.2f} | {self.p99():.2f} |"


HEAD = """| | bare, a second | its p99 | check, a second | its p99 | throughput | p99 |
|---|---|---|---|---|---|---|"""


def pinned(processor: str, *command: str | Path) -> list[str]:
    return ["taskset", "-c", processor, *map(str, command)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], log: Path, port: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A server, until the block ends. Where `port` is given, from when it listens there."""
    with log.open("w") as sink:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True, cwd=log.parent)
        try:
            began = time.monotonic()
            while port is not None:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                if process.poll() is not None or time.monotonic() - began > LISTENS_WITHIN:
                    sys.exit(f"bench: {command} does not listen:\n{log.read_text()}")
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def version(*command: str) -> str:
    """The first line of what a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True)
    return (said.stdout + said.stderr).strip().splitlines()[0]


@dataclass(frozen=True)
class Server:
    """Something that can be asked."""

    port: int
    path: str = "/auth/verify"
    cookie: str = "theme=dark; __Host-vestibule="

    def ask(self, cookies: Path, people: int) -> Asked:
        """What wrk says of it, once it is in use again: while the other was asked, what is known here grew old."""
        self._ask(cookies, people, 1)
        return self._ask(cookies, people, SECONDS)

    def _ask(self, cookies: Path, people: int, seconds: int) -> Asked:
        """No answer may be a no."""
        wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", ROOT / "tools/bench.lua"]
        what = ["--", self.path, self.cookie, cookies, people]
        command = pinned(CLIENT, *wrk, f"http://127.0.0.1:{self.port}", *what)
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        said = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", output, re.MULTILINE)
        if not said or int(said[2]) or not int(said[1]):
            sys.exit(f"bench: not every answer was a yes:\n{output}")
        return Asked(int(said[1]) * 1e6 / int(said[3]), int(said[4]) / 1000)


def compare(name: str, bare: Server, check: Server, cookies: Path, people: int = 1) -> Row:
    """Asks both in turn. The first time, which makes what is prepared, is not counted."""
    check.ask(cookies, people)
    rounds = [(bare.ask(cookies, people), check.ask(cookies, people)) for _ in range(ROUNDS)]
    row = Row(name, [one for one, _ in rounds], [other for _, other in rounds])
    print(row, flush=True)
    return row
