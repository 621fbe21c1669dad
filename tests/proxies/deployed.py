"""The five proxies, each with the very files of deploy/.

What is replaced in them, and nothing else: the port they listen on, the addresses of Vestibule and of the two applications,
and the paths of certificates and of the files themselves. A text that is to be replaced has to be there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from certificates import Certificates
from children import Child

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
# Where tools/setup puts programs.
TOOLS = Path(os.environ.get("VESTIBULE_TOOLS", Path.home() / ".cache/vestibule/tools"))
WHEELS = TOOLS / "proxies/bin"


@dataclass(frozen=True)
class Upstreams:
    """Ports behind the proxies."""

    public: int
    gate: int
    wiki: int
    board: int


@dataclass(frozen=True)
class Proxy:
    name: str
    title: str
    # The text of a file that says where to listen, and what it becomes on a port of loopback.
    listen: dict[str, str]
    # Where the files are installed.
    installed: str
    version: list[str]
    start: Callable[[Path], list[str]]

    def program(self) -> str | None:
        return shutil.which(self.version[0], path=os.pathsep.join([str(WHEELS), os.environ["PATH"], "/usr/sbin"]))

    def version_found(self) -> str:
        """The first number in what the program says about itself."""
        said = subprocess.run([self.program(), *self.version[1:]], capture_output=True, text=True)
        return re.search(r"\d+\.\d+\.\d+", said.stdout + said.stderr)[0]

    def run(self, folder: Path, port: int, upstreams: Upstreams, certificates: Certificates) -> Child:
        """Starts it. Its files are written to `folder`."""
        shutil.copytree(DEPLOY / self.name, folder)
        self._substitute(folder, port, upstreams, certificates)
        command = self.start(folder)
        return Child(self.name, [self.program(), *command], folder).listens(port)

    def _substitute(self, folder: Path, port: int, upstreams: Upstreams, certificates: Certificates) -> None:
        replaced = {old: new.format(port=port) for old, new in self.listen.items()}
        for shipped, here in (
            (3000, upstreams.public),
            (3004, upstreams.gate),
            (8080, upstreams.wiki),
            (8081, upstreams.board),
        ):
            for form in ("127.0.0.1:{}", "address: 127.0.0.1, port_value: {}"):
                replaced[form.format(shipped)] = form.format(here)
        for name in ("certificate", "key", "both"):
            replaced[f"/etc/vestibule/tls/{name}.pem"] = str(getattr(certificates, name))
        replaced[self.installed] = str(folder)
        missing = set(self.listen)
        # In one pass, since one free port may look like another's shipped one.
        pattern = re.compile("|".join(rf"{re.escape(old)}(?!\d)" for old in sorted(replaced, key=len, reverse=True)))
        for file in filter(Path.is_file, folder.rglob("*")):
            text = file.read_text()
            missing -= {old for old in self.listen if old in text}
            file.write_text(pattern.sub(lambda found: replaced[found[0]], text))
        if missing:
            raise RuntimeError(f"deploy/{self.name} says nowhere: {missing}")


def nginx(folder: Path, file: str = "vestibule.conf") -> list[str]:
    """Where Debian's nginx.conf would include conf.d; all else is as nginx has it by itself."""
    (folder / "tmp").mkdir()
    temporary = "".join(
        f"    {of}_temp_path tmp/{of};\n" for of in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n    access_log access.log;\n{temporary}"
        f"    include {file};\n}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def _caddy(folder: Path) -> list[str]:
    return ["run", "--config", str(folder / "Caddyfile")]


CADDY_OPTIONS = """{{
	https_port {port}
	default_bind 127.0.0.1
	auto_https disable_redirects
	admin off
	persist_config off
}}

# Caddy in front of"""

PROXIES = [
    Proxy("nginx", "nginx", {"listen 443 ssl": "listen 127.0.0.1:{port} ssl"}, "/etc/nginx", ["nginx", "-v"], nginx),
    Proxy(
        "haproxy",
        "HAProxy",
        {"bind :443": "bind 127.0.0.1:{port}"},
        "/etc/haproxy",
        ["haproxy", "-v"],
        lambda folder: ["-f", str(folder / "haproxy.cfg")],
    ),
    # No line says where to listen (it is 443): options at the head of the file do.
    Proxy("caddy", "Caddy", {"# Caddy in front of": CADDY_OPTIONS}, "/etc/caddy", ["caddy", "version"], _caddy),
    Proxy(
        "traefik",
        "Traefik",
        {'":443"': '"127.0.0.1:{port}"'},
        "/etc/traefik",
        ["traefik", "version"],
        lambda folder: [f"--configFile={folder}/traefik.yml"],
    ),
    Proxy(
        "envoy",
        "Envoy",
        {"address: 0.0.0.0, port_value: 443": "address: 127.0.0.1, port_value: {port}"},
        "/etc/envoy",
        ["envoy", "--version"],
        lambda folder: ["-c", str(folder / "envoy.yaml"), "--disable-hot-restart", "--concurrency", "1"],
    ),
]
