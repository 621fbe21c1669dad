"""Vestibule, with the settings file of deploy/, and the provider that signs people in."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from certificates import Certificates
from children import Child, free_ports
from deployed import DEPLOY
from tls_front import TlsFront

ROOT = DEPLOY.parent
DEBUG = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
# Nobody at the test provider is one of the `admins`; this is alice's group.
ADMINS = "staff"
# Whom the rule for /inside/ lets in: everybody at a proxy (house.py), and the proxies themselves (127.0.0.1), so that a
# question without the client's address would let in whoever it is.
INSIDE = "127.0.0.0/28"
# On the board, so that the wiki stays as it is shipped.
BOARD = f"""url = "https://board.example.org"
preflight = true

[[app.rule]]
path = "/inside/"
addresses = ["{INSIDE}"]
access = "anyone"
"""


def program(name: str, variable: str) -> str:
    return os.environ.get(variable, str(DEBUG / name))


@dataclass
class Program:
    vestibule: Child
    provider: Child
    public: int
    gate: int
    settings: Path

    def lose_database(self) -> None:
        """Starts Vestibule anew with a database at whose address nobody listens, and the same keys: sessions are known to
        be sessions, and nobody can say whose. With MongoDB it serves in any case (docs/configuration.md, "Ready")."""
        self.vestibule.stop()
        nobody = f'database = "mongodb://127.0.0.1:{free_ports(1)[0]}/vestibule"\n'
        self.settings.write_text(nobody + self.settings.read_text())
        self.vestibule = _serve(self.settings).listens(self.public, self.gate)

    def stop(self) -> None:
        self.vestibule.stop()
        self.provider.stop()


def start(folder: Path, certificates: Certificates) -> Program:
    """Returns once both can be used."""
    folder.mkdir()
    secret, front = secrets.token_urlsafe(24), TlsFront(certificates)
    provider = Child(
        "test-provider",
        [
            program("test-provider", "TEST_PROVIDER_BIN"),
            *("--client-id", "vestibule", f"--client-secret={secret}"),
            *("--issuer", front.origin),
            *("--redirect-uri", "https://login.example.net/auth/oidc/callback"),
        ],
        folder,
    )
    front.behind = listens(provider)
    public, gate, admin = free_ports(3)
    settings = folder / "vestibule.toml"
    settings.write_text(_settings((public, gate, admin), front.origin, secret, certificates))
    vestibule = _serve(settings).listens(public, gate)
    knows_its_provider(public)
    return Program(vestibule, provider, public, gate, settings)


def _serve(settings: Path) -> Child:
    command = [program("vestibule", "VESTIBULE_BIN"), "serve", "--config", str(settings)]
    return Child("vestibule", command, settings.parent, {"VESTIBULE_LOG": "vestibule=debug,info"})


def _settings(ports: tuple[int, int, int], issuer: str, secret: str, certificates: Certificates) -> str:
    """The shipped file with the ports, the secrets, the provider and the group of this run, and more for the board."""
    public, gate, admin = ports
    replaced = {
        'listen = "127.0.0.1:3000"': f'listen = "127.0.0.1:{public}"\nadmin_listen = "127.0.0.1:{admin}"',
        'gate_listen = "127.0.0.1:3004"': f'gate_listen = "127.0.0.1:{gate}"',
        '# secret_keys_file = "/run/secrets/vestibule-keys"': f'secret_keys = ["{secrets.token_urlsafe(32)}"]',
        'issuer = "https://sso.example.com"': f'issuer = "{issuer}"\nca_file = "{certificates.authority}"',
        'client_secret_file = "/run/secrets/vestibule-client"': f'client_secret = "{secret}"',
        'groups = ["admins"]': f'groups = ["{ADMINS}"]',
        'url = "https://board.example.org"': BOARD,
    }
    return with_lines_replaced(DEPLOY / "vestibule.gate.toml", replaced)


def with_lines_replaced(shipped: Path, replaced: dict[str, str]) -> str:
    """A shipped file with other lines in the place of these, each of which has to be there once."""
    text = shipped.read_text()
    for old, new in replaced.items():
        text, times = re.subn(rf"^{re.escape(old)}$", new, text, flags=re.M)
        if times != 1:
            raise RuntimeError(f"{shipped} says {old} {times} times")
    return text


def listens(provider: Child) -> tuple[str, int]:
    """The provider says where, in its first line."""
    end = time.monotonic() + 30
    while provider.process.poll() is None and time.monotonic() < end:
        lines = provider.log.read_text().splitlines(keepends=True)
        if lines and lines[0].endswith("\n"):
            host, _, port = json.loads(lines[0])["listen"].rpartition(":")
            return host, int(port)
        time.sleep(0.02)
    raise RuntimeError(f"the provider is not ready:\n{provider.log.read_text()}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def knows_its_provider(public: int) -> None:
    """Until the program has the provider's metadata, nobody can sign in."""
    opener = urllib.request.build_opener(_NoRedirect)
    end = time.monotonic() + 30
    while True:
        try:
            opener.open(f"http://127.0.0.1:{public}/auth/oidc/login")
        except urllib.error.HTTPError as answer:
            if answer.code in (302, 303):
                return
        if time.monotonic() > end:
            raise RuntimeError("the program does not reach its provider")
        time.sleep(0.1)
