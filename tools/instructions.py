#!/usr/bin/env python3
"""Instructions that one check of the gate takes, counted by callgrind: a machine that is busy counts the same.

    tools/instructions.py            counts, and compares with crates/bench/instructions.toml
    tools/instructions.py --write    writes that file

Counted is a warm check (its session is known, what its application is told is prepared) from the router on, without the
network, and beside it a handler with nothing in it. Both are counted for two numbers of questions; what lies between, by the
number of questions between, is what one takes, so that starting the program does not count.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from bench import TARGET, settings
from side_by_side import ROOT, version

FILE = ROOT / "crates/bench/instructions.toml"
FEW, MANY = 2_000, 12_000
# Two builds of one source differ by 4 % (what is inlined, where memory lies). So much less is worth a new number.
TOLERANCE = 0.10


def counted(*command: str | Path) -> int:
    """Instructions of a whole run of the program."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", TARGET / "bench", *command]
    done = subprocess.run(list(map(str, valgrind)), capture_output=True, text=True)
    said = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not said:
        sys.exit(f"instructions: {done.stdout}{done.stderr}")
    return int(said[1])


def count() -> dict[str, int]:
    """What one question takes: `check`, and `bare`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, cookies = settings(folder, f"sqlite://{folder}/vestibule.db", 0), folder / "cookies"
        subprocess.run([TARGET / "bench", "people", config, cookies], check=True)

        def one(*more: str) -> int:
            few, many = (counted("ask", config, cookies, str(times), *more) for times in (FEW, MANY))
            return round((many - few) / (MANY - FEW))

        return {"check": one(), "bare": one("--bare")}


def verdict(found: int, held: int) -> str | None:
    """What is wrong with what was found."""
    change = found / held - 1
    if change > TOLERANCE:
        return f"a check takes {change:.1%} more instructions than before"
    if change < -TOLERANCE:
        return f"a check takes {-change:.1%} fewer instructions than before: keep it so"
    return None


def main(arguments: list[str]) -> int:
    found = count()
    print(f"a check: {found['check']:,} instructions; a handler with nothing in it: {found['bare']:,}")
    if "--write" in arguments:
        lines = ["# Instructions of one question. Written by `python3 tools/instructions.py --write`."]
        lines += [f"{name} = {number:_}" for name, number in found.items()]
        lines += [f'compiler = "{version("rustc", "--version")}"']
        FILE.write_text("\n".join(lines) + "\n")
        return 0
    held = tomllib.loads(FILE.read_text())
    wrong = verdict(found["check"], held["check"])
    if wrong:
        print(f"{wrong} ({held['check']:,}, {held['compiler']}; now {version('rustc', '--version')}).")
        print("If that is meant, or comes from the compiler: python3 tools/instructions.py --write")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
