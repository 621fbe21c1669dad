"""Assertions that are valid, and such that are not: each is the real one with one thing changed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass
from itertools import count

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from running import claims

# Less than the snippets allow clocks to differ, and more.
A_LITTLE, TOO_MUCH = 5, 60
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Case:
    what: str
    assertion: str
    is_valid: bool


def signing_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The program's own, derived as it does it (src/server/gate/signing_keys.rs), so that only one thing is wrong at a time."""
    for round_ in count():
        info = b"derive assertion signing key\0" + b"\0" * 7 + b"\1" + bytes([round_]) + b"\0" * 8
        number = int.from_bytes(HKDF(hashes.SHA256(), 32, b"vestibule", info).derive(secret))
        if 0 < number < ORDER:
            return ec.derive_private_key(number, ec.SECP256R1())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def cases(real: str, secret: bytes) -> list[Case]:
    key, other = signing_key(secret), ec.generate_private_key(ec.SECP256R1())
    told, kid = claims(real), jwt.get_unverified_header(real)["kid"]
    now = int(time.time())

    def made(changed: dict[str, object] | None = None, without: str = "", key=key, alg="ES256", kid=kid) -> str:
        content = {name: value for name, value in (told | (changed or {})).items() if name != without}
        return jwt.encode(content, key, alg, {"kid": kid} if kid else None)

    head, body, signature = real.split(".")
    altered = _encoded(json.dumps(told | {"sub": "somebody else"}).encode())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    confused = f"{_encoded(json.dumps({'typ': 'JWT', 'alg': 'HS256', 'kid': kid}).encode())}.{body}"
    confused += "." + _encoded(hmac.digest(public, confused.encode(), "sha256"))
    valid = [
        ("as the check has answered it", real),
        ("the same, signed by us", made()),
        ("made by a clock that is ahead", made({"iat": now + A_LITTLE})),
    ]
    invalid = [
        ("for another application", made({"aud": "http://board.localhost"})),
        ("for nobody", made(without="aud")),
        ("of another issuer", made({"iss": "http://login.localhost"})),
        ("of no issuer", made(without="iss")),
        ("expired", made({"exp": now - TOO_MUCH})),
        ("without an end", made(without="exp")),
        ("signed by another key", made(key=other)),
        ("signed by another key, which it names", made(key=other, kid="another")),
        ("signed by another key, and names none", made(key=other, kid=None)),
        ("altered", f"{head}.{altered}.{signature}"),
        ("not signed", made(key=None, alg="none")),
        ("signed with our public key for a secret", confused),
        ("cut off", real[:-20]),
        ("empty", ""),
        ("something else", "Bearer of no token"),
    ]
    return [Case(what, text, True) for what, text in valid] + [Case(what, text, False) for what, text in invalid]
