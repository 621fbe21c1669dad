"""Plays one table of requests and attacks against five proxies, each as deploy/ has it, with Vestibule behind.

    tests/proxies [PROXY...]    all, or these alone (then docs/gate.md is not looked at)

UPDATE_DOCS=1 writes the table of docs/gate.md. KEEP=1 leaves all files and logs where it says.
The last line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import document
from deployed import PROXIES
from house import House, Results


def report(results: Results) -> tuple[int, int]:
    """Says what is amiss. How many outcomes were as they must be, and how many not."""
    passed = failed = 0
    for group, rows in results:
        for row, outcomes in rows:
            for proxy, outcome in outcomes.items():
                passed, failed = (passed, failed + 1) if outcome.complaints else (passed + 1, failed)
                if outcome.complaints:
                    print(f"FAILED {proxy}: {group.title}: {row.what}: {document.cell(outcome)}")
                    print("".join(f"    {complaint}\n" for complaint in outcome.complaints), end="")
    return passed, failed


def with_tickets(folder: Path) -> list[str]:
    """The files in which a proxy or Vestibule has left a ticket, which belongs into no log (docs/gate.md)."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [str(file.relative_to(folder)) for file in files if b"ticket=" in file.read_bytes()]


def main(names: list[str]) -> int:
    chosen = [proxy for proxy in PROXIES if not names or proxy.name in names]
    there = [proxy for proxy in chosen if proxy.program()]
    for proxy in chosen:
        if proxy not in there:
            print(f"skipped: {proxy.name} not found (tools/setup proxies)")
    folder = Path(tempfile.mkdtemp(prefix="vestibule-proxies-"))
    try:
        house = House(folder, there)
        try:
            results = house.play()
        finally:
            house.close()
        tickets = with_tickets(folder)
    finally:
        if os.environ.get("KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    passed, failed = report(results)
    passed, failed = (passed, failed + 1) if tickets else (passed + 1, failed)
    if tickets:
        print(f"FAILED a ticket is in {', '.join(tickets)}")
    if there == PROXIES:
        current = document.check(document.table(there, results), bool(os.environ.get("UPDATE_DOCS")))
        passed, failed = (passed + 1, failed) if current else (passed, failed + 1)
        if not current:
            print("FAILED docs/gate.md is out of date: UPDATE_DOCS=1 python3 tools/test.py proxies")
    print(f"{passed} passed, {failed} failed, {len(chosen) - len(there)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
