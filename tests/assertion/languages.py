"""Each language's program around the snippet of the page: reads an assertion a line, and says a line of JSON to each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import page

HERE = Path(__file__).resolve().parent
# Where tools/setup has put the libraries.
TOOLS = Path(os.environ["VESTIBULE_TOOLS"]) / "assertion"
# What is built outlasts a run, since Rust's libraries take a minute.
BUILT = HERE.parents[1] / os.environ.get("CARGO_TARGET_DIR", "target") / "assertion"

NIMBUS = str(TOOLS / "nimbus-jose-jwt.jar")


@dataclass(frozen=True)
class Language:
    """Its name is that of its folder here."""

    name: str
    # How its block begins in the page, and where the block goes.
    fence: str
    snippet: str
    # Have to be there: to run it, and to install its libraries.
    needs: tuple[str, ...]
    build: list[str]
    run: list[str]

    def missing(self) -> list[str]:
        return [program for program in self.needs if not shutil.which(program)]

    def make(self, issuer: str, audience: str) -> None:
        """Its program, around the snippet with these addresses in it."""
        shutil.copytree(HERE / self.name, self._folder, dirs_exist_ok=True)
        (self._folder / self.snippet).write_text(page.snippet(self.fence, issuer, audience))
        if self.build:
            self._call(self.build)

    def judge(self, assertions: list[str]) -> list[dict[str, str]]:
        """What the snippet says to each."""
        said = self._call(self.run, "".join(f"{assertion}\n" for assertion in assertions)).splitlines()
        if len(said) != len(assertions):
            raise RuntimeError(f"{self.name}: {len(assertions)} assertions, {len(said)} lines:\n{said}")
        return [json.loads(line) for line in said]

    @property
    def _folder(self) -> Path:
        return BUILT / self.name

    def _call(self, command: list[str], lines: str = "") -> str:
        env = os.environ | {"GOTOOLCHAIN": "local", "CARGO_TARGET_DIR": "target"}
        done = subprocess.run(command, cwd=self._folder, env=env, input=lines, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {command[0]} ends with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


LANGUAGES = [
    Language("python", "python", "snippet.py", (), [], [str(TOOLS / "python/bin/python"), "main.py"]),
    Language(
        "node", "js", "snippet.mjs", ("node", "npm"), ["ln", "-sfn", str(TOOLS / "node/node_modules"), "."], ["node", "main.mjs"]
    ),
    Language("go", "go", "snippet.go", ("go",), ["go", "build", "-o", "main", "."], ["./main"]),
    Language(
        "rust",
        "rust",
        "src/snippet.rs",
        ("cargo",),
        ["cargo", "build", "--quiet", "--locked"],
        ["target/debug/assertion-in-rust"],
    ),
    Language(
        "java",
        "java",
        "Assertions.java",
        ("java", "javac", "mvn"),
        ["javac", "-cp", NIMBUS, "-d", "classes", "Main.java", "Assertions.java"],
        ["java", "-cp", f"{NIMBUS}:classes", "Main"],
    ),
]
