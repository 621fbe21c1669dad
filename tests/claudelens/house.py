"""Everything: Authelia (the test provider behaves as it does), MongoDB, ClaudeLens, Vestibule and nginx, these two with
the very files of deploy/claudelens.

What is replaced in them, and nothing else: ports, the paths of certificates and secrets, the address of the provider,
and the client's scopes; and a location of the operator's own is added.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import shutil
from pathlib import Path

import pymongo

import certificates
import documents
import http1
import program
from application import NUMBER, Application, Record, Seen
from browser import Browser
from children import Child, free_ports
from claudelens import ClaudeLens
from deployed import DEPLOY, nginx
from messages import SCRIPT, Answer, Front, Headers, Request
from mongo import Mongo
from tls_front import TlsFront

HOST = "claudelens.example.com"
URL = f"https://{HOST}"
# Where people are, as nginx sees it; not 127.0.0.1, which ClaudeLens makes administrator.
CLIENT = "127.0.0.30"
# Something of the operator's own, for which nginx has a 403 of its own: a directory that it does not list.
OWN_LOCATION = "    location /files/ {{ alias {folder}/; }}\n\n    location / {{\n"


class House:
    def __init__(self, folder: Path):
        self._undo = contextlib.ExitStack()
        self._numbers = itertools.count()
        self._browsers: dict[str, Browser] = {}
        try:
            self._build(folder)
        except BaseException:
            self.close()
            raise

    def _build(self, folder: Path) -> None:
        self.record, self.secret = Record(), secrets.token_urlsafe(32)
        self._certificates = certificates.make(folder / "tls", [HOST])
        mongo = Mongo(folder)
        self._undo.callback(mongo.stop)
        client = pymongo.MongoClient(mongo.url, tz_aware=True)
        self._undo.callback(client.close)
        self._undo.callback(client.drop_database, mongo.name)
        self.database = client[mongo.name]
        self.api = ClaudeLens(self.record, self.database.users, self.secret)
        page = Application("page", self.record)
        self.issuer = self._provider(folder)
        documents.fill(self.database, f"{self.issuer}/.well-known/openid-configuration")
        self.not_ours = documents.not_ours(self.database)
        public, gate, admin, port, tunnelled = free_ports(5)
        self._vestibule(folder, mongo.url, (public, gate, admin))
        behind = {3000: public, 3004: gate, 8080: page.port, 8000: self.api.port}
        self._nginx(folder / "nginx", port, behind)
        self._nginx(folder / "nginx-behind-a-tunnel", tunnelled, behind, in_server=_lines_for_a_tunnel())
        authority = self._certificates.authority
        self.front = Front(port, CLIENT, authority)
        self.on_this_machine = Front(port, "127.0.0.1", authority)
        self.behind_a_tunnel = Front(tunnelled, "127.0.0.1", authority)

    def _provider(self, folder: Path) -> str:
        """Its issuer."""
        self._client_secret, front = secrets.token_urlsafe(24), TlsFront(self._certificates)
        issuer = f"{front.origin}/authelia"
        command = [
            program.program("test-provider", "TEST_PROVIDER_BIN"),
            *("--profile=authelia", "--check-host", "--rate-limit", f"--issuer={issuer}"),
            *("--client-id=claudelens", f"--client-secret={self._client_secret}"),
            f"--redirect-uri={URL}/auth/oidc/callback",
        ]
        provider = Child("test-provider", command, folder)
        self._undo.callback(provider.stop)
        front.behind = program.listens(provider)
        return issuer

    def _vestibule(self, folder: Path, database: str, ports: tuple[int, int, int]) -> None:
        public, gate, admin = ports
        replaced = {
            'listen = "127.0.0.1:3000"': f'listen = "127.0.0.1:{public}"\nadmin_listen = "127.0.0.1:{admin}"',
            'gate_listen = "127.0.0.1:3004"': f'gate_listen = "127.0.0.1:{gate}"',
            'database_file = "/run/secrets/claudelens-database"': f'database = "{database}"',
            'secret_keys_file = "/run/secrets/vestibule-keys"': f'secret_keys = ["{secrets.token_urlsafe(32)}"]',
            'issuer = "https://authelia.example.com"': f'issuer = "{self.issuer}"\nca_file = "{self._certificates.authority}"',
            'client_secret_file = "/run/secrets/authelia-client"': f'client_secret = "{self._client_secret}"',
            # Somebody has 500 groups.
            'scopes = ["openid", "profile", "email"]': 'scopes = ["openid", "profile", "email", "groups"]',
            'claudelens_secret_key_file = "/run/secrets/claudelens-secret-key"': f'claudelens_secret_key = "{self.secret}"',
        }
        self.settings = folder / "vestibule.toml"
        self.settings.write_text(program.with_lines_replaced(DEPLOY / "claudelens/vestibule.toml", replaced))
        command = [program.program("vestibule", "VESTIBULE_BIN"), "serve", "--config", str(self.settings)]
        vestibule = Child("vestibule", command, folder, {"VESTIBULE_LOG": "vestibule=debug,info"})
        self._undo.callback(vestibule.stop)
        vestibule.listens(public, gate)
        program.knows_its_provider(public)

    def _nginx(self, folder: Path, port: int, behind: dict[int, int], in_server: str = "") -> None:
        shutil.copytree(DEPLOY / "nginx/vestibule", folder / "vestibule")
        text = (DEPLOY / "claudelens/nginx.conf").read_text()
        replaced = {f"server 127.0.0.1:{shipped};": f"server 127.0.0.1:{here};" for shipped, here in behind.items()}
        replaced["listen 443 ssl"] = f"listen 127.0.0.1:{port} ssl"
        replaced[f"    server_name {HOST};\n"] = f"    server_name {HOST};\n{in_server}"
        replaced["    location / {\n"] = OWN_LOCATION.format(folder=folder / "vestibule")
        for name in ("certificate", "key"):
            replaced[f"/etc/vestibule/tls/{name}.pem"] = str(getattr(self._certificates, name))
        for old in replaced:
            if old not in text:
                raise RuntimeError(f"deploy/claudelens/nginx.conf says nowhere {old!r}")
        # In one pass, since one free port may look like another's shipped one.
        pattern = re.compile("|".join(map(re.escape, replaced)))
        (folder / "claudelens.conf").write_text(pattern.sub(lambda found: replaced[found[0]], text))
        command = [shutil.which("nginx") or "/usr/sbin/nginx", *nginx(folder, "claudelens.conf")]
        self._undo.callback(Child("nginx", command, folder).listens(port).stop)

    def close(self) -> None:
        self._undo.close()

    def browser(self, person: str) -> Browser:
        """Signed in, once for all tests that do not sign out."""
        if person not in self._browsers:
            self._browsers[person] = self.sign_in(person)
        return self._browsers[person]

    def sign_in(self, person: str) -> Browser:
        browser = Browser(self.front)
        browser.sign_in(f"{URL}/dashboard", person)
        return browser

    def ask(
        self, target: str, who: str | Browser | None = None, method: str = "GET", headers: Headers = SCRIPT, **more
    ) -> tuple[Answer, list[Seen]]:
        """What comes back, and what has been seen of it behind nginx."""
        browser = self.browser(who) if isinstance(who, str) else who
        number = str(next(self._numbers))
        extra = [(NUMBER, number), *(browser.cookie_header(HOST) if browser else [])]
        front = more.pop("front", self.front)
        request = Request(target, method, list(headers), server=HOST, **more)
        return http1.ask(front, request, extra), self.record.of(number)


def _lines_for_a_tunnel() -> str:
    """What README.md says."""
    readme = (DEPLOY / "claudelens/README.md").read_text()
    return f"    {re.search(r'`(set_real_ip_from [^`]*)`', readme)[1]}\n"
