"""What has to hold: for people, for programs with an API key, and against whoever would be somebody else."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shutil
import tempfile
import time
import unittest
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt

import documents
from application import Seen
from browser import Browser
from claudelens import PUBLIC_SESSION_SECRET, session_cookie
from documents import API_KEY, BOB_SUBJECT
from house import CLIENT, HOST, URL, House
from messages import NAVIGATION, SCRIPT, Answer
from page import run_page

house: House
folder: Path
KEY = [*SCRIPT, ("X-API-Key", API_KEY)]
TOKEN = [*SCRIPT, ("Origin", URL)]
FORM = [*NAVIGATION, ("Origin", URL), ("Content-Type", "application/x-www-form-urlencoded")]
WEBSOCKET = [
    *(("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Origin", URL)),
    *(("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", base64.b64encode(bytes(16)).decode())),
]
# Sign-outs, roles and the like take effect within 5 s. A busy machine may be slow once, and then what was known is believed again.
AT_LATEST_SECONDS = 15


def setUpModule() -> None:
    global house, folder
    folder = Path(tempfile.mkdtemp(prefix="vestibule-claudelens-"))
    if os.environ.get("KEEP"):
        unittest.addModuleCleanup(print, f"kept: {folder}")
    else:
        unittest.addModuleCleanup(shutil.rmtree, folder)
    house = House(folder)
    unittest.addModuleCleanup(house.close)


def of(answer: Answer) -> dict:
    return json.loads(answer.body)


class Case(unittest.TestCase):
    def api(self, *arguments, status: int = 200, **more) -> tuple[dict, Seen]:
        """What ClaudeLens answers to a request, which it has seen once."""
        answer, seen = house.ask(*arguments, **more)
        self.assertEqual((answer.status, len(seen)), (status, 1), answer)
        return of(answer), seen[0]

    def denied(self, status: int, *arguments, **more) -> Answer:
        """Nobody behind nginx has seen it."""
        answer, seen = house.ask(*arguments, **more)
        self.assertEqual((answer.status, seen), (status, []), answer)
        return answer

    def token(self, who: str | Browser) -> str:
        return of(self.denied(200, "/auth/token", who, "POST", TOKEN))["access_token"]


class People(Case):
    def test_a_person_signs_in_through_authelia_and_is_the_user_that_they_were(self) -> None:
        before = next(user for user in documents.users("") if user["username"] == "alice")
        found, _ = self.api("/api/v1/auth/me", "alice")
        self.assertEqual(found["id"], str(documents.ALICE))
        after = house.database.users.find_one({"_id": documents.ALICE})
        for field, value in before.items():
            if field not in ("oidc_provider", "updated_at"):
                self.assertEqual(after[field], value, field)
        self.assertEqual(house.database.users.count_documents({"username": "alice"}), 1)

    def test_conversations_and_settings_are_not_touched(self) -> None:
        house.browser("alice")
        self.assertEqual(documents.not_ours(house.database), house.not_ours)

    def test_who_is_signed_out_is_led_to_sign_in_and_back_to_the_page(self) -> None:
        answer = self.denied(303, "/projects/7?tab=a", headers=NAVIGATION)
        location = urlsplit(answer.one("Location"))
        self.assertEqual((location.netloc, location.path), (HOST, "/auth/oidc/login"))
        self.assertEqual(parse_qs(location.query)["return_to"], ["/projects/7?tab=a"])
        browser = Browser(house.front)
        browser.sign_in(f"{URL}/projects/7?tab=a", "alice")

    def test_a_script_that_is_signed_out_is_told_where_to_sign_in(self) -> None:
        answer = self.denied(401, "/api/v1/sessions")
        self.assertEqual(of(answer)["login_url"], f"{URL}/auth/login")

    def test_the_role_is_that_of_the_users_document(self) -> None:
        for who, role in (("alice", "admin"), ("bob", "user")):
            found, _ = self.api("/api/v1/sessions", who)
            self.assertEqual((found["role"], found["by"]), (role, "token"))
        house.browser("bob")
        self.api("/api/v1/users", "alice")
        self.api("/api/v1/users", "bob", status=403)

    def test_a_changed_role_and_a_disabled_user_count_soon(self) -> None:
        browser, users = house.sign_in("incident"), house.database.users
        user = {"username": "incident"}

        def soon(is_so) -> None:
            end = time.monotonic() + AT_LATEST_SECONDS
            while not is_so(house.ask("/api/v1/sessions", browser)[0]) and time.monotonic() < end:
                time.sleep(0.05)
            self.assertTrue(is_so(house.ask("/api/v1/sessions", browser)[0]))

        try:
            users.update_one(user, {"$set": {"role": "admin"}})
            soon(lambda answer: answer.status == 200 and of(answer)["role"] == "admin")
            users.update_one(user, {"$set": {"is_active": False}})
            soon(lambda answer: answer.status == 401)
            self.denied(401, "/auth/token", browser, "POST", TOKEN)
        finally:
            users.update_one(user, {"$set": {"role": "user", "is_active": True}})

    def test_a_user_without_address_is_readable_after_a_sign_in(self) -> None:
        house.browser("bob")
        bob = house.database.users.find_one({"_id": documents.BOB})
        self.assertEqual(bob["email"], "bob@oidc.local")
        found, _ = self.api("/api/v1/auth/me", "bob")
        self.assertEqual(found["username"], "bob")
        # It is none, so nobody is told of it.
        self.assertEqual(of(self.denied(200, "/auth/userinfo", "bob"))["email"], None)

    def test_new_users_are_written_as_claudelens_reads_them(self) -> None:
        found, _ = self.api("/api/v1/auth/me", "incident")
        self.assertEqual((found["username"], found["email"]), ("incident", "incident@example.com"))
        # Without an address, too: bob, if he had not been there before.
        house.database.users.update_one({"_id": documents.BOB}, {"$set": {"oidc_sub": "other", "subject": "other"}})
        try:
            found, _ = self.api("/api/v1/auth/me", house.sign_in("bob"))
            self.assertNotEqual(found["id"], str(documents.BOB))
            self.assertEqual((found["email"], found["role"]), (f"{found['username']}@oidc.local", "user"))
            # As ClaudeLens itself would look for him.
            provider = {"oidc_sub": BOB_SUBJECT, "oidc_provider": f"{house.issuer}/.well-known/openid-configuration"}
            self.assertEqual(str(house.database.users.find_one(provider)["_id"]), found["id"])
        finally:
            house.database.users.delete_one({"subject": BOB_SUBJECT})
            bob = {"oidc_sub": BOB_SUBJECT, "subject": BOB_SUBJECT}
            house.database.users.update_one({"_id": documents.BOB}, {"$set": bob})

    def test_the_filter_of_the_readme_finds_users_that_claudelens_cannot_read(self) -> None:
        text = (Path(__file__).parents[2] / "deploy/claudelens/README.md").read_text()
        lacking = json.loads(text.split("```json\n")[1].split("```")[0])
        added = {"username": "dora", "email": "dora@example.com", "created_at": datetime.now(UTC)}
        house.database.users.insert_one(added)
        try:
            found = [user["username"] for user in house.database.users.find(lacking)]
            self.assertIn("dora", found)
            self.assertNotIn("carol", found)
        finally:
            house.database.users.delete_one({"_id": added["_id"]})

    def test_whatever_the_person_no_answer_is_too_big(self) -> None:
        for target, method in (("/dashboard", "GET"), ("/api/v1/sessions", "GET"), ("/api/v1/sessions", "POST")):
            answer, _ = house.ask(target, "incident", method)
            self.assertEqual(answer.status, 200)
        self.token("incident")
        groups = of(self.denied(200, "/auth/userinfo", "incident"))["groups"]
        self.assertEqual(len(groups), 500)
        self.assertEqual(self.errors("too big header"), [])

    def test_a_websocket_is_let_in_for_who_is_signed_in_alone(self) -> None:
        self.denied(401, "/ws/stats?api_key=default-api-key", headers=WEBSOCKET)
        answer, seen = house.ask("/ws/stats?api_key=default-api-key", "bob", headers=WEBSOCKET)
        self.assertEqual((answer.status, len(seen)), (101, 1))

    def test_the_password_form_leads_to_the_page(self) -> None:
        answer = self.denied(302, "/login", headers=NAVIGATION)
        self.assertEqual(answer.one("Location"), "/")

    def test_a_refusal_of_nginx_itself_does_not_loop(self) -> None:
        # `load` gives up after a number of redirects.
        at, page = house.browser("bob").load(f"{URL}/files/")
        self.assertEqual((at, page.status, page.one("Content-Type")[:9]), (f"{URL}/files/", 403, "text/html"))
        self.denied(403, "/files/", "bob", "POST", headers=FORM, body=b"a=b")
        self.assertEqual(of(self.denied(403, "/files/", "bob"))["error"], "proxy_refused")

    def errors(self, words: str) -> list[str]:
        log = (folder / "nginx/error.log").read_text()
        return [line for line in log.splitlines() if words in line]


class Tokens(Case):
    def test_a_token_has_four_claims_and_five_minutes(self) -> None:
        answer = of(self.denied(200, "/auth/token", "alice", "POST", TOKEN))
        claims = jwt.decode(answer["access_token"], house.secret, algorithms=["HS256"])
        lives = claims.pop("exp") - time.time()
        self.assertEqual(claims, {"sub": "alice", "user_id": str(documents.ALICE), "role": "admin"})
        self.assertEqual((answer["token_type"], answer["expires_in"]), ("Bearer", 300))
        self.assertTrue(0 < lives <= 301, lives)

    def test_nobody_else_gets_one(self) -> None:
        answer = self.denied(401, "/auth/token", None, "POST", TOKEN)
        self.assertEqual(of(answer)["login_url"], f"{URL}/auth/login")
        elsewhere = [("Origin", "https://elsewhere.example"), ("Sec-Fetch-Site", "cross-site")]
        self.denied(403, "/auth/token", "alice", "POST", elsewhere)
        self.denied(405, "/auth/token", "alice")

    def test_a_sign_out_ends_everything_but_tokens_that_are_out(self) -> None:
        browser = house.sign_in("bob")
        token = self.token(browser)
        # Where README.md has the page send people.
        page = browser.load(f"{URL}/auth/logout")
        # The cookies of somebody who has kept them.
        kept = Browser(house.front)
        kept.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
        browser.submit(*page)
        end = time.monotonic() + AT_LATEST_SECONDS
        while house.ask("/api/v1/sessions", kept)[0].status == 200 and time.monotonic() < end:
            time.sleep(0.05)
        for one in (browser, kept):
            self.denied(401, "/api/v1/sessions", one)
            self.denied(401, "/auth/token", one, "POST", TOKEN)
            self.denied(401, "/ws/stats", one, headers=WEBSOCKET)
            self.denied(401, "/api/v1/sessions", one, headers=[*SCRIPT, ("Authorization", f"Bearer {token}")])
        # What README.md says of it: the API itself takes it to its end, so its port must not be reachable.
        seen = Seen("api", CLIENT, "GET", "/api/v1/sessions", [("Authorization", f"Bearer {token}")], b"", [])
        self.assertEqual(house.api.respond(seen)[0], 200)

    def test_the_lines_for_the_page_work(self) -> None:
        signed_in = self.denied(200, "/auth/token", "bob", "POST", TOKEN)
        signed_out = self.denied(401, "/auth/token", None, "POST", TOKEN)
        with self.subTest("signed in"):
            found = run_page(signed_in, "/dashboard?tab=1")
            self.assertEqual(found["token"], of(signed_in)["access_token"])
            self.assertEqual(found["asked"], [["/auth/token", "POST"]])
            self.assertEqual((found["renewed_after_ms"], found["went"]), (240_000, None))
            self.assertTrue(found["rendered"])
        with self.subTest("signed out"):
            found = run_page(signed_out, "/dashboard?tab=1")
            went = urlsplit(found["went"])
            self.assertEqual((found["token"], found["rendered"]), (None, False))
            browser = Browser(house.front)
            self.assertEqual(went._replace(query="").geturl(), f"{URL}/auth/login")
            _, page = browser.load(found["went"])
            self.assertEqual(page.status, 200)
            button = html.unescape(re.search(rb'href="(/auth/oidc/login[^"]*)"', page.body)[1].decode())
            browser.sign_in(URL + button, "bob", f"{URL}/dashboard?tab=1")


class Programs(Case):
    def test_a_key_is_enough_and_nobody_is_named(self) -> None:
        for method, target in (
            ("POST", "/api/v1/projects"),
            ("POST", "/api/v1/ingest/batch"),
            ("GET", "/key/api/v1/sessions?limit=5"),
            ("GET", "/key/api/v1/sessions/7/messages"),
            ("POST", "/key/api/v1/search"),
            ("GET", "/key/api/v1/export/conversations/structured"),
        ):
            # Whoever's browser it comes from, and whatever `Authorization` it brings.
            for who in (None, "alice"):
                with self.subTest(target, who=who):
                    bearer = ("Authorization", f"Bearer {self.token('alice')}")
                    found, seen = self.api(target, who, method, [*KEY, bearer])
                    self.assertEqual((found["user_id"], found["by"]), (str(documents.CAROL), "key"))
                    self.assertEqual((seen.all("Authorization"), seen.all("Cookie")), ([], []))
                    self.assertEqual(seen.target, target.removeprefix("/key"))
        self.api("/api/v1/health")
        _, seen = self.api("/api/v1/ingest/batch", None, "POST", KEY, body=bytes(2_000_000))
        self.assertEqual(len(seen.body), 2_000_000)

    def test_without_a_key_claudelens_refuses(self) -> None:
        for headers in (SCRIPT, [*SCRIPT, ("X-API-Key", "cl_made-up")]):
            self.api("/api/v1/ingest/batch", "alice", "POST", headers, status=401)
            self.api("/key/api/v1/sessions", "alice", headers=headers, status=401)

    def test_a_key_opens_nothing_else(self) -> None:
        for method, target in (
            ("GET", "/api/v1/projects"),
            ("GET", "/api/v1/sessions"),
            ("GET", "/api/v1/users"),
            ("POST", "/api/v1/auth/login"),
            ("POST", "/api/v1/auth/register"),
            ("POST", "/api/v1/ingest/batch/"),
            ("POST", "/api/v1/ingest/../auth/register"),
            ("GET", "/"),
        ):
            with self.subTest(target):
                self.denied(401, target, None, method, KEY)
        for method, target in (
            ("POST", "/key/api/v1/auth/register"),
            ("GET", "/key/api/v1/users"),
            ("DELETE", "/key/api/v1/sessions/7"),
            ("GET", "/key/api/v1/sessions/../users"),
            ("GET", "/key/api/v1/sessions/%2e%2e/users"),
            ("GET", "/key/api/v1/sessions/..%2fusers"),
            ("GET", "/key/api/v1/sessions/%252e%252e/users"),
            ("GET", "/key/api/v1/sessions/..;/users"),
            ("GET", "/key//api/v1/users"),
            ("GET", "/%6bey/api/v1/users"),
            ("GET", "/key/"),
        ):
            with self.subTest(target):
                self.denied(403, target, None, method, KEY)
                self.denied(403, target, "alice", method, KEY)


class Attacks(Case):
    def test_what_a_client_brings_as_authorization_is_replaced(self) -> None:
        alice = ("Authorization", f"Bearer {self.token('alice')}")
        for header in (alice, ("authorization", alice[1]), ("Authorization", ""), ("Authorization", "Basic YTpi")):
            found, seen = self.api("/api/v1/auth/me", "bob", headers=[*SCRIPT, header])
            self.assertEqual((found["username"], len(seen.all("Authorization"))), ("bob", 1))
        # Two of them nginx takes for no request at all.
        self.denied(400, "/api/v1/auth/me", "bob", headers=[*SCRIPT, alice, alice])
        self.denied(401, "/api/v1/auth/me", headers=[*SCRIPT, alice])

    def test_no_address_makes_anybody_administrator(self) -> None:
        for headers in (
            [("X-Forwarded-For", "127.0.0.1")],
            [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
            [("x-forwarded-for", "127.0.0.1, 192.0.2.1"), ("X-FORWARDED-FOR", "::1")],
            [("X_Forwarded_For", "127.0.0.1"), ("X_Real_IP", "localhost")],
            [("Forwarded", "for=127.0.0.1")],
        ):
            with self.subTest(headers):
                found, seen = self.api("/api/v1/sessions", "bob", headers=[*SCRIPT, *headers])
                self.assertEqual((found["role"], found["by"]), ("user", "token"))
                self.assertEqual((seen.all("X-Forwarded-For"), seen.all("X-Real-IP")), ([CLIENT], [CLIENT]))
                self.denied(401, "/api/v1/sessions", headers=[*SCRIPT, *headers])
                self.api("/api/v1/ingest/batch", None, "POST", [*SCRIPT, *headers], status=401)
        self.assertIsNone(house.database.users.find_one({"username": "admin"}))

    def test_whoever_comes_from_this_machine_is_refused(self) -> None:
        for target in ("/api/v1/sessions", "/dashboard", "/auth/token", "/api/v1/ingest/batch", "/ws/stats"):
            answer = self.denied(403, target, "bob", "POST", KEY, front=house.on_this_machine)
            self.assertIn(b"deploy/claudelens/README.md", answer.body)

    def test_a_tunnel_on_this_machine_may_be_believed_about_the_client(self) -> None:
        for said, client in (
            ("192.0.2.7", "192.0.2.7"),
            ("127.0.0.1, 192.0.2.7", "192.0.2.7"),
            ("::1, 192.0.2.7", "192.0.2.7"),
        ):
            tunnel = {"front": house.behind_a_tunnel, "headers": [*SCRIPT, ("X-Forwarded-For", said)]}
            found, seen = self.api("/api/v1/sessions", "bob", **tunnel)
            self.assertEqual((found["role"], found["by"]), ("user", "token"))
            self.assertEqual((seen.all("X-Forwarded-For"), seen.all("X-Real-IP")), ([client], [client]))
        for said in ("127.0.0.1", "127.0.0.1, 127.0.0.1", ""):
            tunnel = {"front": house.behind_a_tunnel, "headers": [*SCRIPT, ("X-Forwarded-For", said)]}
            self.denied(403, "/api/v1/sessions", "bob", **tunnel)

    def test_a_forged_session_of_claudelens_is_not_seen(self) -> None:
        forged = session_cookie(str(documents.ALICE), PUBLIC_SESSION_SECRET)
        self.assertEqual(self._by(forged), "cookie", "it works where it arrives")
        for lines in (
            [forged],
            [f"{forged}; {forged}"],
            [f"a=b; {forged}; c=d", forged],
            [f"claudelens_session=x;{forged}"],
        ):
            with self.subTest(lines):
                found, seen = self.api(
                    "/api/v1/sessions", "bob", headers=[*SCRIPT, *(("Cookie", one) for one in lines)]
                )
                self.assertEqual((found["role"], found["by"], seen.all("Cookie")), ("user", "token", []))
                self.api(
                    "/api/v1/ingest/batch", None, "POST", [*SCRIPT, *(("Cookie", one) for one in lines)], status=401
                )

    def _by(self, cookie: str) -> str:
        headers = [("Cookie", cookie), ("X-Forwarded-For", CLIENT)]
        return house.api.respond(Seen("api", CLIENT, "GET", "/api/v1/sessions", headers, b"", []))[1]["by"]

    def test_neither_the_page_nor_the_api_sees_a_cookie(self) -> None:
        for target in ("/dashboard", "/api/v1/sessions"):
            answer, seen = house.ask(target, "alice")
            self.assertEqual((answer.status, seen[0].all("Cookie")), (200, []))

    def test_other_spellings_of_the_api_do_not_get_around_the_gate(self) -> None:
        for target in (
            "//api/v1/sessions",
            "/API/v1/sessions",
            "/api",
            "/api;/v1/sessions",
            "/./api/v1/sessions",
            "/wsx",
        ):
            with self.subTest(target):
                self.denied(401, target)
                self.denied(401, target, headers=KEY)
