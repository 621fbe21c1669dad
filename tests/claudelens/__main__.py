"""ClaudeLens behind nginx and Vestibule, with the very files of deploy/claudelens.

    tests/claudelens [-v] [CLASS.TEST...]

KEEP=1 leaves all files and logs where it says.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

# What all proxies are tested with.
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "proxies"))

if __name__ == "__main__":
    # Sockets that hold ports stay open to the end.
    unittest.main("checks", warnings="ignore")
