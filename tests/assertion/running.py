"""Vestibule with a provider and one application, and what the application is told about somebody who signs in."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode, urljoin

from children import Child, free_ports

ROOT = Path(__file__).resolve().parents[2]
DEBUG = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
TRIES = 100


@dataclass(frozen=True)
class Running:
    issuer: str
    audience: str
    # The one of `secret_keys`.
    secret: bytes
    gate: int

    def assertion(self) -> str:
        """Signs in as a browser does, with the check asked as a proxy does it, until it says yes."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        question = {
            "Accept": "text/html",
            "X-Forwarded-Method": "GET",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": self.audience.removeprefix("http://"),
            "X-Forwarded-Uri": "/page",
            "X-Forwarded-For": "127.0.0.1",
        }
        # By this name the browser's cookies for the application, whose host it is, go with the question.
        url, answer = f"http://localhost:{self.gate}/auth/forward", None
        for _ in range(TRIES):
            try:
                answer = browser.open(urllib.request.Request(url, headers=question))
                if "X-Vestibule-Assertion" in answer.headers:
                    return answer.headers["X-Vestibule-Assertion"]
                _sign_in(browser, answer.url, answer.read().decode())
            except urllib.error.HTTPError as refused:
                # The application's page, which nobody serves here; or the provider, which is not known yet.
                answer = refused
                time.sleep(0.1)
        raise RuntimeError(f"nobody gets in: {answer.status} {answer.url}")


def program(name: str, variable: str) -> str:
    return os.environ.get(variable, str(DEBUG / name))


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """While this lasts, the program runs. Both hosts are names of loopback that resolve anywhere."""
    public, gate, admin, op = free_ports(4)
    issuer, audience, secret = f"http://127.0.0.1:{public}", f"http://localhost:{public}", secrets.token_bytes(32)
    settings = folder / "vestibule.toml"
    settings.write_text(f"""
        public_url = "{issuer}"
        listen = "127.0.0.1:{public}"
        gate_listen = "127.0.0.1:{gate}"
        admin_listen = "127.0.0.1:{admin}"
        trusted_proxies = ["127.0.0.1"]
        secret_keys = ["{base64.urlsafe_b64encode(secret).decode().rstrip("=")}"]
        [[provider]]
        id = "op"
        issuer = "http://127.0.0.1:{op}"
        client_id = "vestibule"
        client_secret = "secret"
        [[app]]
        url = "{audience}"
    """)
    client = ["--client-id", "vestibule", "--client-secret", "secret", "--redirect-uri", f"{issuer}/auth/oidc/callback"]
    test_provider = [program("test-provider", "TEST_PROVIDER_BIN"), "--listen", f"127.0.0.1:{op}", *client]
    provider = Child("test-provider", test_provider, folder)
    try:
        provider.listens(op)
        vestibule = Child("vestibule", [program("vestibule", "VESTIBULE_BIN"), "--config", str(settings)], folder)
        try:
            vestibule.listens(public, gate)
            yield Running(issuer, audience, secret, gate)
        finally:
            vestibule.stop()
    finally:
        provider.stop()


def _sign_in(browser: urllib.request.OpenerDirector, url: str, page: str) -> None:
    """At the provider."""
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    fields = {name: html.unescape(value) for name, value in hidden} | {"username": "alice", "password": "alice-demo"}
    action = html.unescape(re.search(r'action="([^"]*)"', page)[1])
    browser.open(urljoin(url, action), urlencode(fields).encode())


def claims(assertion: str) -> dict[str, object]:
    """Of a token that nobody has verified."""
    payload = assertion.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
