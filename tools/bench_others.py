"""What others do who check requests for a proxy, beside the same bare handler: oauth2-proxy, and Apache with
mod_auth_openidc, where they are on this machine. Each is given what makes it fast: one session of one person, no log of
requests, and of what it knows about the person what `remote` has.
"""

from __future__ import annotations

import contextlib
import html
import http.client
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from side_by_side import CLIENT, SERVER, Row, Server, compare, free_port, pinned, running, version

APACHE_MODULES = Path("/usr/lib/apache2/modules")
MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc"]


@contextlib.contextmanager
def provider(program: Path, folder: Path, back: str) -> Iterator[str]:
    """The test provider for one client, whom it sends people back to; says its issuer."""
    port = free_port()
    client = ["--client-id", "app", "--client-secret", "secret", "--redirect-uri", back]
    command = pinned(CLIENT, program, "--listen", f"127.0.0.1:{port}", *client)
    with running(command, folder / "provider.log", port):
        yield f"http://127.0.0.1:{port}"


def sign_in(url: str) -> str:
    """Alice signs in at `url`; her cookies there."""
    jars: dict[str, dict[str, str]] = {}
    form = None
    for _ in range(20):
        at = urllib.parse.urlsplit(url)
        jar = jars.setdefault(at.netloc, {})
        connection = http.client.HTTPConnection(at.netloc, timeout=20)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        path = urllib.parse.urlunsplit(("", "", at.path or "/", at.query, ""))
        connection.request("POST" if form else "GET", path, body=form, headers={"Accept": "text/html"} | cookies | kind)
        answer = connection.getresponse()
        page = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, text = value.split(";")[0].split("=", 1)
                jar[key] = text
                if not text:
                    del jar[key]
        form = None
        if location := answer.getheader("location"):
            url = urllib.parse.urljoin(url, location)
        elif 'name="password"' in page:
            fields = re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', page)
            filled = {html.unescape(name): html.unescape(value) for name, value in fields}
            form = urllib.parse.urlencode(filled | {"username": "alice", "password": "alice-demo"})
            action = re.search(r'<form[^>]*action="([^"]*)"', page)
            url = urllib.parse.urljoin(url, html.unescape(action[1])) if action else url
        else:
            return "; ".join(f"{name}={value}" for name, value in jar.items())
    raise RuntimeError(f"nobody is signed in at {url}")


def oauth2_proxy(program: str, test_provider: Path, folder: Path, bare: Server) -> Row:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with provider(test_provider, folder, f"{origin}/oauth2/callback") as issuer:
        options = {
            "provider": "oidc", "oidc-issuer-url": issuer, "client-id": "app", "client-secret": "secret",
            "redirect-url": f"{origin}/oauth2/callback", "http-address": f"127.0.0.1:{port}", "email-domain": "*",
            "cookie-secret": "0123456789abcdef0123456789abcdef", "cookie-secure": "false", "upstream": "static://200",
            "reverse-proxy": "true", "trusted-proxy-ip": "127.0.0.1", "set-xauthrequest": "true", "session-cookie-minimal": "true",
            "skip-provider-button": "true", "request-logging": "false", "auth-logging": "false", "standard-logging": "false",
        }
        command = [program, *(f"--{name}={value}" for name, value in options.items())]
        with running(pinned(SERVER, *command), folder / "oauth2-proxy.log", port):
            cookies = folder / "oauth2-proxy.cookies"
            cookies.write_text(sign_in(origin) + "\n")
            # `go install` leaves the program itself without it.
            built = subprocess.run(["go", "version", "-m", program], capture_output=True, text=True).stdout
            number = re.search(r"\tmod\t\S+\tv(\S+)", built) or re.search(r"v(\d\S+)", version(program, "--version"))
            return compare(f"oauth2-proxy {number[1] if number else ''}, one person", bare, Server(port, "/oauth2/auth", "theme=dark; "), cookies)


def mod_auth_openidc(program: str, test_provider: Path, folder: Path, bare: Server) -> Row:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    (folder / "pages").mkdir()
    (folder / "pages/check").touch()
    modules = "\n".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in MODULES)
    with provider(test_provider, folder, f"{origin}/callback") as issuer:
        config = folder / "apache.conf"
        config.write_text(f"""ServerName 127.0.0.1
ServerRoot {folder}
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
ErrorLog {folder}/apache-error.log
LogLevel error
{modules}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
EnableSendfile Off
DocumentRoot {folder}/pages
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID app
OIDCClientSecret secret
OIDCRedirectURI {origin}/callback
OIDCCryptoPassphrase 0123456789abcdef
OIDCCacheType shm
OIDCSessionType server-cache
OIDCScope "openid profile email"
OIDCPassClaimsAs headers
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
""")
        command = [program, "-DFOREGROUND", "-f", str(config)]
        with running(pinned(SERVER, *command), folder / "apache.log", port):
            cookies = folder / "apache.cookies"
            cookies.write_text(sign_in(f"{origin}/check") + "\n")
            apache = re.search(r"Apache/([0-9.]+)", version(program, "-v"))[1]
            module = version("dpkg-query", "-W", "-f=${Version}", "libapache2-mod-auth-openidc").split("-")[0]
            name = f"Apache {apache} with mod_auth_openidc {module}, one person"
            return compare(name, bare, Server(port, "/check", "theme=dark; "), cookies)


def measure(test_provider: Path, folder: Path, bare: Server) -> tuple[list[Row], list[str]]:
    """A row for each that is at hand, and who is not."""
    others: list[tuple[str, str, Callable[[str, Path, Path, Server], Row]]] = [
        ("oauth2-proxy", "oauth2-proxy", oauth2_proxy),
        ("mod_auth_openidc", "apache2", mod_auth_openidc),
    ]
    rows, notes = [], []
    for name, command, how in others:
        program = shutil.which(command) or shutil.which(command, path="/usr/sbin")
        is_there = program and (name != "mod_auth_openidc" or (APACHE_MODULES / "mod_auth_openidc.so").is_file())
        if is_there and test_provider.is_file():
            (folder / name).mkdir()
            rows.append(how(program, test_provider, folder / name, bare))
        else:
            notes.append(f"Not measured: {name}, which is not on this machine.")
    return rows, notes
