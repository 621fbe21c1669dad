"""ClaudeLens, as far as it matters who somebody is: what it looks at, and in which order.

Tokens are read by a library that nobody here has written. What it finds stands in the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import jwt
from bson import ObjectId
from bson.errors import InvalidId
from pymongo.collection import Collection

from application import Application, Connection, Record, Seen

# As long as nobody sets SESSION_SECRET_KEY.
PUBLIC_SESSION_SECRET = "change-this-to-a-secure-secret-key-in-production"
LOCALHOST = {"127.0.0.1", "localhost", "::1"}


class Refused(Exception):
    def __init__(self, status: int, detail: str):
        self.status, self.detail = status, detail


class ClaudeLens(Application):
    """Its API."""

    def __init__(self, record: Record, users: Collection, secret: str):
        self.users, self.secret = users, secret
        super().__init__("api", record, _Api)

    def respond(self, seen: Seen) -> tuple[int, Any]:
        path = seen.target.partition("?")[0]
        try:
            if path == "/api/v1/health":
                return 200, {"status": "ok"}
            if path in ("/api/v1/auth/login", "/api/v1/auth/register"):
                return 200, {"detail": "open to anybody"}
            if path == "/api/v1/auth/me":
                return 200, self._readable(self._user_of(self._bearer(seen) or {}))
            user_id, role, by = self._who(seen)
            if path == "/api/v1/users":
                if role != "admin":
                    raise Refused(403, "Admin access required")
                return 200, [self._readable(user) for user in self.users.find()]
            return 200, {"user_id": user_id, "role": role, "by": by}
        except Refused as refused:
            return refused.status, {"detail": refused.detail}

    def _who(self, seen: Seen) -> tuple[str, str, str]:
        """The user's id and role, and what said so."""
        forwarded = seen.one("X-Forwarded-For").split(",")[0].strip()
        # Where a proxy names the client, it takes that for the other end of the connection.
        if LOCALHOST & {forwarded or seen.peer, seen.one("X-Real-IP")}:
            return self._administrator(), "admin", "localhost"
        if user := _session(seen, PUBLIC_SESSION_SECRET):
            return user["id"], user["role"], "cookie"
        if claims := self._bearer(seen):
            return claims["user_id"], claims["role"], "token"
        if key := seen.one("X-API-Key"):
            digest = hashlib.sha256(key.encode()).hexdigest()
            user = self.users.find_one({"api_keys": {"$elemMatch": {"key_hash": digest, "active": True}}})
            if not user:
                raise Refused(401, "Invalid API key")
            return str(user["_id"]), user["role"], "key"
        raise Refused(401, "Authentication required")

    def _administrator(self) -> str:
        found = self.users.find_one({"username": "admin"})
        if found:
            return str(found["_id"])
        now = datetime.now(UTC)
        admin = {"username": "admin", "email": "admin@localhost", "role": "admin", "created_at": now, "updated_at": now}
        return str(self.users.insert_one(admin).inserted_id)

    def _bearer(self, seen: Seen) -> dict[str, Any] | None:
        """The claims of a token that holds."""
        scheme, _, token = seen.one("Authorization").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            # Its library refuses a token with `aud`, since it expects none.
            claims = jwt.decode(token, self.secret, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return None
        return claims if claims.get("sub") is not None and claims.get("user_id") is not None else None

    def _user_of(self, claims: dict[str, Any]) -> dict[str, Any]:
        try:
            user = self.users.find_one({"_id": ObjectId(claims["user_id"])})
        except (KeyError, InvalidId):
            user = None
        if not user:
            raise Refused(401, "Could not validate credentials")
        return user

    @staticmethod
    def _readable(user: dict[str, Any]) -> dict[str, str]:
        """Its model of a user cannot be made without these."""
        missing = [field for field in ("username", "email", "created_at", "updated_at") if user.get(field) is None]
        if missing:
            raise Refused(500, f"Internal server error: {missing}")
        return {"id": str(user["_id"]), "username": user["username"], "email": user["email"], "role": user["role"]}


def session_cookie(user_id: str, secret: str) -> str:
    """`claudelens_session`, which whoever knows the secret can make."""
    text = base64.urlsafe_b64encode(json.dumps({"user": {"id": user_id, "role": "admin"}}).encode()).decode()
    return f"claudelens_session={text}.{hmac.new(secret.encode(), text.encode(), 'sha256').hexdigest()}"


def _session(seen: Seen, secret: str) -> dict[str, str] | None:
    for line in seen.all("Cookie"):
        for pair in line.split(";"):
            text, _, signature = pair.strip().removeprefix("claudelens_session=").rpartition(".")
            if hmac.compare_digest(hmac.new(secret.encode(), text.encode(), "sha256").hexdigest(), signature):
                return json.loads(base64.urlsafe_b64decode(text))["user"]
    return None


class _Api(Connection):
    server: ClaudeLens

    def answer(self, seen: Seen) -> bool:
        # Its WebSockets look at nothing.
        if seen.target.startswith("/ws/") and seen.one("Upgrade"):
            return self.switch(seen)
        status, found = self.server.respond(seen)
        body = json.dumps(found).encode()
        self.wfile.write(
            f"HTTP/1.1 {status} Any\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        self.wfile.write(b"" if seen.method == "HEAD" else body)
        return True
