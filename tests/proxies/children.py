"""Programs that the harness starts: their output kept, ended by their own id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

GRACE_SECONDS = 10
READY_SECONDS = 60


# Bound, and never listening: nobody else is given them, and a program that says SO_REUSEADDR may bind them all the same.
_reserved: list[socket.socket] = []


def free_ports(number: int) -> list[int]:
    """Ports of loopback that are given to nobody else while we run."""
    for _ in range(number):
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        _reserved.append(held)
    return [held.getsockname()[1] for held in _reserved[-number:]]


class Child:
    """A running program. Its output is in `log`."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str] | None = None):
        self.name, self.log = name, folder / f"{name}.log"
        # Nothing of the caller's settings may leak into what is tested.
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "VESTIBULE_TOOLS") if key in os.environ}
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                command, cwd=folder, env=clean | (env or {}), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )

    def listens(self, *ports: int) -> Child:
        """Returns once it does."""
        end = time.monotonic() + READY_SECONDS
        for port in ports:
            while not _accepts(port):
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise RuntimeError(f"{self.name} is not ready:\n{self.log.read_text(errors='replace')[-4000:]}")
                time.sleep(0.05)
        return self

    def hang(self) -> None:
        """Its connections are accepted by the system, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
