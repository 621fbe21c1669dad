#!/usr/bin/env python3
"""What a check of the gate costs, beside a handler that does nothing (`make bench`).

    tools/bench.py            measures, and prints the tables
    tools/bench.py --write    puts them into docs/performance.md as well

The server has one processor, what asks has another (`wrk`, 16 connections that are kept). Both servers are asked in turn, a few
seconds each, so that whatever else the machine does meets both; what counts is the median of the rounds. The exit status is 1
where the check is more than a quarter dearer than the bare handler, or its slowest answers are more than twice as slow.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
DOCUMENT = ROOT / "docs/performance.md"
SERVER, CLIENT = "0", "1"
ROUNDS, SECONDS, CONNECTIONS = 7, 4, 16
PEOPLE, SESSIONS_EACH = 10_000, 10
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


@dataclass(frozen=True)
class Server:
    """Something that can be asked."""

    port: int
    path: str = "/auth/verify"
    cookie: str = "theme=dark; __Host-vestibule="

    def ask(self, cookies: Path, people: int) -> Asked:
        """What wrk says of it. No answer may be a no."""
        wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", ROOT / "tools/bench.lua"]
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


def settings(folder: Path, database: str, gate: int) -> Path:
    """One application, and everything else as it is by itself."""
    file = folder / "vestibule.toml"
    file.write_text(f"""public_url = "https://login.example.com"
listen = "127.0.0.1:{free_port()}"
admin_listen = "127.0.0.1:{free_port()}"
gate_listen = "127.0.0.1:{gate}"
database = "{database}"
secret_keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"]
trusted_proxies = ["127.0.0.1"]
[[provider]]
id = "example"
issuer = "https://sso.example.com"
client_id = "app"
client_secret = "secret"
scopes = ["openid", "profile", "email", "groups"]
[[app]]
url = "https://wiki.example.com"
[[app.rule]]
path = "/public/"
access = "anyone"
[[app.rule]]
path = "/admin/"
groups = ["admins"]
""")
    return file


def on_store(store: str, folder: Path, database: str, bare: Server) -> tuple[list[Row], int]:
    """The check with one person, with many, and what many take in memory."""
    gate, cookies = free_port(), folder / "cookies"
    config = settings(folder, database, gate)
    people = [TARGET / "bench", "people", config, cookies, "--people", str(PEOPLE), "--sessions-each", str(SESSIONS_EACH)]
    subprocess.run(people, check=True, cwd=folder)
    with running(pinned(SERVER, TARGET / "vestibule", "serve", "--config", config), folder / "log", gate) as program:
        rows = [
            compare(f"{store}, one person", bare, Server(gate), cookies),
            compare(f"{store}, {PEOPLE:,} people", bare, Server(gate), cookies, PEOPLE),
        ]
        status = Path(f"/proc/{program.pid}/status").read_text()
    return rows, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) >> 10


def version(*command: str) -> str:
    """The first line of what a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True)
    return (said.stdout + said.stderr).strip().splitlines()[0]


def machine() -> str:
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = processor[1] if processor else platform.processor()
    return f"{os.cpu_count()} × {name}, {platform.system()} {platform.release()}, {version('rustc', '--version')}, {version('wrk', '-v')}"


def secantus() -> str | None:
    installed = Path(os.environ.get("VESTIBULE_TOOLS", ROOT / ".tools")) / "venv/bin/secantusd-py"
    return str(installed) if installed.is_file() else shutil.which("secantusd-py")


def measure() -> tuple[list[Row], list[str]]:
    memory = Path("/dev/shm")
    # A disk would be measured where many sessions are written, and nothing here is about disks.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)))
        bare = stack.enter_context(running(pinned(SERVER, TARGET / "bench", "bare"), folder / "bare.log"))
        bare = Server(int(bare.stdout.readline().rsplit(":")[-1]))
        notes = []
        (folder / "sqlite").mkdir()
        rows, megabytes = on_store("SQLite", folder / "sqlite", "sqlite://vestibule.db", bare)
        notes.append(f"With {PEOPLE:,} people in use the program has {megabytes} MiB of memory (SQLite).")
        server = secantus()
        if server:
            (folder / "mongo").mkdir()
            listening = free_port()
            command = [server, "--port", str(listening), "--standalone", "--storage-path", folder / "mongo/data"]
            stack.enter_context(running(pinned(CLIENT, *command), folder / "mongo/server.log", listening))
            uri = f"mongodb://127.0.0.1:{listening}/vestibule"
            rows += on_store("MongoDB's protocol", folder / "mongo", uri, bare)[0]
            notes.append("The MongoDB server is SecantusDB, on the processor of what asks.")
        else:
            notes.append("Not measured: MongoDB's protocol, since secantusd-py was not found (tools/setup test).")
    return rows, notes


def document(rows: list[Row], notes: list[str]) -> str:
    about = f"Measured on {date.today().isoformat()}: {machine()}."
    return "\n".join([about, "", HEAD, *map(str, rows), "", *notes])


def main(arguments: list[str]) -> int:
    if not shutil.which("wrk") or os.cpu_count() < 2:
        sys.exit("bench: needs wrk (Debian's package) and two processors")
    print(HEAD, flush=True)
    rows, notes = measure()
    written = document(rows, notes)
    print("\n" + written)
    if "--write" in arguments:
        before, after = re.split(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", DOCUMENT.read_text(), flags=re.DOTALL)
        DOCUMENT.write_text(f"{before}{written}\n{after}")
    bad = [row.name for row in rows if not row.is_good()]
    if bad:
        print(f"\nbench: beyond the bounds ({LEAST_THROUGHPUT} and {MOST_P99}): {'; '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
