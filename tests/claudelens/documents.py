"""What a deployment of ClaudeLens has in its database when Vestibule comes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo.database import Database

LONG_AGO = datetime(2025, 9, 1, 12, tzinfo=UTC)
# Subjects of the people at the test provider.
ALICE_SUBJECT = "a11ce000-0000-4000-8000-000000000001"
BOB_SUBJECT = "b0b00000-0000-4000-8000-000000000002"
API_KEY = "cl_of-carol"

ALICE, BOB, CAROL = ObjectId(), ObjectId(), ObjectId()


def users(discovery: str) -> list[dict[str, Any]]:
    counters = {"project_count": 2, "session_count": 3, "message_count": 5, "total_disk_usage": 8}
    times = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    key = {"key_hash": hashlib.sha256(API_KEY.encode()).hexdigest(), "name": "laptop", "created_at": LONG_AGO}
    return [
        {
            "_id": ALICE,
            "username": "alice",
            "email": "alice@example.com",
            "role": "admin",
            "oidc_sub": ALICE_SUBJECT,
            # The discovery URL, not the issuer.
            "oidc_provider": discovery,
            "auth_method": "oidc",
            "api_keys": [],
            "ui": {"theme.of": "dark", "pinned": [1, "$two"]},
            **counters,
            **times,
        },
        # The provider has no address of his, and nobody has written what ClaudeLens needs.
        {"_id": BOB, "username": "bob", "role": "user", "oidc_sub": BOB_SUBJECT, "oidc_provider": discovery},
        # She has never come through the provider.
        {
            "_id": CAROL,
            "username": "carol",
            "email": "carol@example.com",
            "role": "user",
            "password_hash": "$2b$12$not-ours-to-read",
            "api_keys": [{**key, "last_used": None, "expires_at": None, "active": True}],
            **times,
        },
    ]


def fill(database: Database, discovery: str) -> None:
    database.users.insert_many(users(discovery))
    database.sessions.insert_many(
        {"sessionId": f"conversation-{n}", "projectId": ObjectId(), "messages": [{"text": f"Hello {n}"}]}
        for n in range(3)
    )
    database.sessions.create_index("sessionId", unique=True)
    database.oidc_settings.insert_one({"enabled": True, "client_id": "claudelens", "discovery_endpoint": discovery})


def not_ours(database: Database) -> dict[str, Any]:
    """What Vestibule has no business with: documents and indexes."""
    return {
        name: ([*database[name].find().sort("_id")], sorted(database[name].index_information()))
        for name in ("sessions", "oidc_settings")
    }
