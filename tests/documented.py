#!/usr/bin/env python3
"""What the pages for operators say is so: settings are settings, commands answer as printed, and links lead somewhere.

    tests/documented.py

Closes like Python's unittest. The program is that of CARGO_TARGET_DIR, or VESTIBULE_BIN.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("VESTIBULE_BIN", str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug/vestibule"))
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]

# Around the blocks of pages that leave it out. Secrets are no part of what is documented.
AROUND = """
public_url = "https://login.example.net"
trusted_proxies = ["127.0.0.1"]

[[provider]]
id = "example"
issuer = "https://sso.example.com"
client_id = "vestibule"
client_secret = "secret"
scopes = ["openid", "profile", "email", "groups"]
"""
# Words in code that look like a file of ours, beginning here.
FILE = r"`((?:docs|deploy|tests|src|tools|locales)/[\w./-]*\w)`"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


def rules_check(settings: str, question: list[str]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vestibule.toml").write_text(settings)
        return subprocess.run(
            [PROGRAM, "rules", "check", *question], cwd=folder, env={}, capture_output=True, text=True, timeout=60
        )


class Documented(unittest.TestCase):
    def settings(self, page: str) -> str:
        """The page's first block of applications."""
        return AROUND + next(block for block in blocks(page, "toml") if "[[app]]" in block)

    def test_the_blocks_of_applications_are_settings(self):
        for page in ("docs/gate.md", "docs/moving.md"):
            done = rules_check(self.settings(page), ["https://wiki.example.com/"])
            self.assertEqual((done.returncode, done.stderr), (1, ""), page)

    def test_rules_check_answers_as_printed(self):
        for page in ("docs/gate.md", "docs/moving.md"):
            for block in blocks(page, "console"):
                for command, printed in re.findall(r"^\$ vestibule rules check (.*)\n((?:[^$].*\n)*)", block, re.M):
                    with self.subTest(page=page, command=command):
                        self.assertEqual(rules_check(self.settings(page), command.split()).stdout, printed)

    def test_the_short_settings_are_those_of_deploy(self):
        """Where docs/gate.md says that it shows deploy/vestibule.gate.toml in short."""
        plain = [line.split(" #")[0].split("#")[0].rstrip() for line in blocks("docs/gate.md", "toml")[0].splitlines()]
        shipped = (ROOT / "deploy/vestibule.gate.toml").read_text().splitlines()
        self.assertEqual([line for line in plain if line and line not in shipped], [])

    def test_files_that_are_named_are_there(self):
        for page in PAGES:
            text = (ROOT / page).read_text()
            named = re.findall(FILE, text) + re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
            for name in sorted(set(named)):
                with self.subTest(page=page, name=name):
                    self.assertTrue((ROOT / name).exists() or (ROOT / page).parent.joinpath(name).exists())


if __name__ == "__main__":
    unittest.main()
