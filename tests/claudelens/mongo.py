"""A MongoDB server: `MONGODB_URI` if set; else `mongod` on the PATH; else SecantusDB, which tools/setup installs."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from children import Child, free_ports
from deployed import TOOLS


class Mongo:
    """`url` is that of a database that nobody else uses, `name` its name."""

    def __init__(self, folder: Path):
        self.name = f"claudelens_{secrets.token_hex(6)}"
        self._own: Child | None = None
        given = os.environ.get("MONGODB_URI")
        if given:
            base = given
        else:
            (port,) = free_ports(1)
            self._own = Child("mongo", _command(port, folder), folder).listens(port)
            base = f"mongodb://127.0.0.1:{port}/"
        head, _, options = base.partition("?")
        self.url = f"{head.rstrip('/')}/{self.name}" + (f"?{options}" if options else "")

    def stop(self) -> None:
        if self._own:
            # What it holds is of no use to anybody, and SecantusDB takes its time.
            self._own.process.kill()
            self._own.process.wait()


def _command(port: int, folder: Path) -> list[str]:
    data = folder / "mongo"
    data.mkdir()
    if mongod := shutil.which("mongod"):
        return [mongod, "--bind_ip=127.0.0.1", f"--port={port}", f"--dbpath={data}"]
    secantus = shutil.which("secantusd-py") or str(TOOLS / "venv/bin/secantusd-py")
    return [secantus, "--standalone", f"--port={port}", f"--storage-path={data}"]
