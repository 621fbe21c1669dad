"""The commands of docs/operating.md, by an SQLite that is none of ours: what they change, other processes have to be told."""

import re
import sqlite3
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "src/server/store/sqlite/migrations"
COMMAND = re.compile(r"^ *sqlite3 [^\n]*?vestibule\.db \"([^\"]+)\"$", re.MULTILINE)
SESSION = b"\x01" * 32


def database() -> sqlite3.Connection:
    """With one person, who is signed in."""
    connection = sqlite3.connect(":memory:")
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        connection.executescript(migration.read_text())
    connection.execute("INSERT INTO users (id, username, username_key) VALUES ('u1', 'ada', 'ada')")
    connection.execute(
        "INSERT INTO login_sessions (id, user_id, issuer, provider, created_at, last_seen_at, expires_at) "
        "VALUES (?, 'u1', 'https://id.example.com', 'op', 0, 0, (strftime('%s', 'now') + 3600) * 1000)",
        [SESSION],
    )
    connection.commit()
    return connection


def told(connection: sqlite3.Connection) -> set[tuple[bytes | None, str | None]]:
    rows = connection.execute("SELECT session, user_id FROM changes WHERE number > 1")
    return set(rows.fetchall())


class Commands(unittest.TestCase):
    commands = COMMAND.findall((ROOT / "docs/operating.md").read_text())

    def run_one(self, begins: str, connection: sqlite3.Connection | None = None) -> sqlite3.Connection:
        found = [command for command in self.commands if command.startswith(begins)]
        self.assertEqual(len(found), 1, self.commands)
        connection = connection or database()
        for statement in found[0].split(";"):
            connection.execute(statement)
        return connection

    def test_switched_off(self) -> None:
        connection = self.run_one("update users set is_active = 0")
        self.assertEqual(told(connection), {(None, "u1")})
        self.assertEqual(connection.execute("SELECT is_active FROM users").fetchall(), [(0,)])

    def test_let_in_again(self) -> None:
        connection = self.run_one("delete from login_sessions where")
        self.assertIn((SESSION, None), told(connection))
        self.assertEqual(connection.execute("SELECT count(*) FROM login_sessions").fetchone(), (0,))

    def test_found_and_made(self) -> None:
        connection = database()
        self.run_one("select username, email", connection)
        connection.execute("UPDATE users SET username = 'bob', username_key = 'bob'")
        self.run_one("insert into users", connection)
        self.assertEqual(told(connection), {(None, "u1")})

    def test_groups(self) -> None:
        self.run_one("select datetime(login_sessions.created_at")

    def test_what_expired_is_not_told(self) -> None:
        connection = database()
        connection.execute("UPDATE login_sessions SET expires_at = 1")
        connection.execute("DELETE FROM changes WHERE number > 1")
        connection.execute("DELETE FROM login_sessions")
        self.assertEqual(told(connection), set())


if __name__ == "__main__":
    unittest.main()
