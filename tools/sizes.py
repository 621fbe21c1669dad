#!/usr/bin/env python3
"""No file and no function grows beyond what one can read at a sitting.

    tools/sizes.py    names every file and function that is too long; the exit status is 1 if there is one
"""

from __future__ import annotations

import sys
from pathlib import Path

from rust_source import functions, without_literals

ROOT = Path(__file__).resolve().parent.parent
# Where Rust code stands, and how many lines a file may have there.
FILES = {"src/**/*.rs": 400, "crates/*/src/**/*.rs": 400, "xtask/src/**/*.rs": 400}
TESTS = {"tests/**/*.rs": 500, "crates/*/tests/**/*.rs": 500}
MOST_LINES_OF_A_FUNCTION = 60


def too_long(root: Path) -> list[str]:
    """A line for each file and function under `root` that is too long."""
    found = []
    for pattern, most in (FILES | TESTS).items():
        for path in sorted(root.glob(pattern)):
            text = path.read_text()
            name = path.relative_to(root)
            lines = len(text.splitlines())
            if lines > most:
                found.append(f"{name}: {lines} lines, {most} at most")
            for function in functions(without_literals(text)):
                if function.lines > MOST_LINES_OF_A_FUNCTION:
                    found.append(
                        f"{name}:{function.line}: `{function.name}` has {function.lines} lines, "
                        f"{MOST_LINES_OF_A_FUNCTION} at most"
                    )
    return found


def main() -> int:
    found = too_long(ROOT)
    print("\n".join(found) if found else "no file and no function is too long")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
