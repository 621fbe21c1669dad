"""What has changed since a stage last passed, for stages that take long and seldom find anything.

Which content it passed with is written down beside what else outlasts a clone, a hash for each file or folder. Without
that, or on GitHub, the stage runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def cache(env: Mapping[str, str]) -> Path:
    """The folder that outlasts a clone."""
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vestibule"


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
    elif path.exists():
        yield path


@dataclass(frozen=True)
class Inputs:
    """The files and folders that a stage depends on."""

    name: str
    paths: tuple[str, ...]

    def hashes(self, root: Path | None = None) -> dict[str, str]:
        """The content of each path, as a hash."""
        root = root or ROOT
        hashes = {}
        for name in self.paths:
            content = hashlib.sha256()
            for file in _files(root / name):
                data = file.read_bytes()
                content.update(f"{file.relative_to(root)}\0{len(data)}\0".encode())
                content.update(data)
            hashes[name] = content.hexdigest()
        return hashes

    def _record(self, env: Mapping[str, str]) -> Path:
        return cache(env) / f"{self.name}.passed.json"

    def why_run(self, hashes: dict[str, str], env: Mapping[str, str] = os.environ) -> str | None:
        """Why the stage has to run; None: it has passed with just this content."""
        if env.get("GITHUB_ACTIONS"):
            return "always on GitHub"
        try:
            passed = json.loads(self._record(env).read_text())
            changed = [name for name in hashes if passed.get(name) != hashes[name]]
        except (OSError, ValueError, AttributeError):
            return "it has not passed on this machine"
        return "changed: " + " ".join(changed) if changed else None

    def passed(self, hashes: dict[str, str], env: Mapping[str, str] = os.environ) -> None:
        """Remembers that the stage has passed with this content."""
        record = self._record(env)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(hashes, indent=2))
