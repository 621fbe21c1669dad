"""A test authority and one certificate for all hosts, made anew for each run and valid for two days."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path
    # Both in one file, as HAProxy wants it.
    both: Path


def make(folder: Path, hosts: list[str]) -> Certificates:
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl(
        *("req", "-x509", *EC, "-days", "2", "-subj", "/CN=Vestibule test authority"),
        *("-keyout", "authority.key", "-out", "authority.pem", "-addext", "keyUsage=critical,keyCertSign"),
    )
    openssl("req", "-new", *EC, "-subj", f"/CN={hosts[0]}", "-keyout", "key.pem", "-out", "hosts.csr")
    names = ",".join(["IP:127.0.0.1", *(f"DNS:{host}" for host in hosts)])
    (folder / "hosts.ext").write_text(f"basicConstraints=critical,CA:FALSE\nsubjectAltName={names}\n")
    openssl(
        *("x509", "-req", "-days", "2", "-in", "hosts.csr", "-CA", "authority.pem", "-CAkey", "authority.key"),
        *("-CAcreateserial", "-extfile", "hosts.ext", "-out", "certificate.pem"),
    )
    (folder / "both.pem").write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return Certificates(*(folder / name for name in ("authority.pem", "certificate.pem", "key.pem", "both.pem")))
