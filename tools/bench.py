#!/usr/bin/env python3
"""What a check of the gate costs, beside a handler that does nothing (`make bench`).

    tools/bench.py            measures, and prints the tables
    tools/bench.py --write    puts them into docs/performance.md as well

The exit status is 1 where a check has less than 0.8 of the bare handler's throughput, or its slowest answer in a hundred takes
more than twice as long.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import bench_others
from side_by_side import (
    CLIENT,
    HEAD,
    LEAST_THROUGHPUT,
    MOST_P99,
    ROOT,
    SERVER,
    Row,
    Server,
    compare,
    free_port,
    pinned,
    running,
    version,
)

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
DOCUMENT = ROOT / "docs/performance.md"
SESSIONS, IN_USE = 100_000, 10_000
# SecantusDB looks through all people whenever it is asked for one by their name.
PEOPLE_IN_SECANTUS = 100


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


def on_store(store: str, folder: Path, database: str, people: int, bare: Server) -> list[Row]:
    """The check with one session and with many in use."""
    gate, cookies = free_port(), folder / "cookies"
    config = settings(folder, database, gate)
    made = ["--people", str(people), "--sessions-each", str(SESSIONS // people)]
    subprocess.run([TARGET / "bench", "people", config, cookies, *made], check=True, cwd=folder)
    with running(pinned(SERVER, TARGET / "vestibule", "serve", "--config", config), folder / "log", gate):
        return [
            compare(f"{store}, one session", bare, Server(gate), cookies),
            compare(f"{store}, {IN_USE:,} sessions", bare, Server(gate), cookies, IN_USE),
        ]


def growth(folder: Path) -> int:
    """By how many bytes the program grows by knowing all sessions there."""
    command = [TARGET / "bench", "memory", folder / "vestibule.toml", folder / "cookies"]
    return int(subprocess.run(command, check=True, cwd=folder, capture_output=True).stdout)


def machine() -> str:
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = processor[1] if processor else platform.processor()
    return f"{os.cpu_count()} × {name}, {platform.system()} {platform.release()}, {version('rustc', '--version')}, {version('wrk', '-v')}"


def secantus() -> str | None:
    installed = Path(os.environ.get("VESTIBULE_TOOLS", ROOT / ".tools")) / "venv/bin/secantusd-py"
    return str(installed) if installed.is_file() else shutil.which("secantusd-py")


def measure() -> tuple[list[Row], list[Row], list[str]]:
    """What we hold ourselves to, what others do, and what else there is to say."""
    memory = Path("/dev/shm")
    # A disk would be measured where many sessions are written, and nothing here is about disks.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)))
        for name in ("sqlite", "mongo", "others"):
            (folder / name).mkdir()
        bare = stack.enter_context(running(pinned(SERVER, TARGET / "bench", "bare"), folder / "bare.log"))
        bare = Server(int(bare.stdout.readline().rsplit(":")[-1]))
        rows = on_store("SQLite", folder / "sqlite", "sqlite://vestibule.db", SESSIONS, bare)
        grown = growth(folder / "sqlite")
        notes = [f"Knowing {SESSIONS:,} people, each at one application, takes {grown >> 20} MiB, {grown // SESSIONS} bytes for each."]
        if server := secantus():
            port = free_port()
            command = [server, "--port", str(port), "--storage-path", folder / "mongo/data"]
            stack.enter_context(running(pinned(CLIENT, *command), folder / "mongo/server.log", port))
            # Where writes may be tried again, SecantusDB looks through all of them at each.
            uri = f"mongodb://127.0.0.1:{port}/vestibule?retryWrites=false"
            try:
                rows += on_store("MongoDB's protocol", folder / "mongo", uri, PEOPLE_IN_SECANTUS, bare)
                notes.append(
                    "What speaks MongoDB's protocol is SecantusDB, not mongod: a replica set of one, which shares a processor with `wrk`; "
                    f"{PEOPLE_IN_SECANTUS} people have all its sessions."
                )
            except subprocess.CalledProcessError:
                notes.append(f"Not measured: MongoDB's protocol, since SecantusDB did not keep up with {SESSIONS:,} sessions.")
        else:
            notes.append("Not measured: MongoDB's protocol, since secantusd-py is not on this machine.")
        others, missing = bench_others.measure(TARGET / "test-provider", folder / "others", bare)
    return rows, others, notes + missing


def document(rows: list[Row], notes: list[str]) -> str:
    about = f"Measured on {date.today().isoformat()}: {machine()}."
    return "\n".join([about, "", HEAD, *map(str, rows), "", *notes])


def main(arguments: list[str]) -> int:
    if not shutil.which("wrk") or os.cpu_count() < 2:
        sys.exit("bench: needs wrk (Debian's package) and two processors")
    print(HEAD, flush=True)
    rows, others, notes = measure()
    written = document(rows + others, notes)
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
