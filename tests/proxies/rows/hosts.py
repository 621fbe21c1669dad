"""Which host a request is for: proxies and applications may see two."""

from __future__ import annotations

from expectations import denied, either, lets_in
from messages import SCRIPT, Request
from table import Group, Row

# 0: closed or reset.
REFUSED = denied(0, 400, 401, 403, 404, 421)
AS_BOB_OR_NOT = either(REFUSED, lets_in("bob"))


def to(host: str, **more: object) -> Request:
    return Request(host=host, who="bob", **more)


def checks(path: str) -> list[Row]:
    """The checks are not to be had from outside: they would hand identity to scripts."""
    return [
        Row(f"`{path}` on an application's host, signed in", Request(path, who="bob"), denied(404)),
        Row(
            f"`{path}` on the login host, signed in", Request(path, who="bob", server="login.example.net"), denied(404)
        ),
    ]


GROUP = Group(
    "Hosts",
    [
        Row("`Host: WIKI.EXAMPLE.COM`", to("WIKI.EXAMPLE.COM"), lets_in("bob")),
        Row("`Host: wiki.example.com:443`", to("wiki.example.com:443"), lets_in("bob")),
        Row("`Host: wiki.example.com:8443`", to("wiki.example.com:8443"), AS_BOB_OR_NOT),
        Row("`Host: wiki.example.com.`", to("wiki.example.com."), AS_BOB_OR_NOT),
        Row("`Host: board.example.org:80@wiki.example.com`", to("board.example.org:80@wiki.example.com"), REFUSED),
        Row("the same as `:authority`", to("board.example.org:80@wiki.example.com", http2=True), REFUSED),
        Row(
            "`Host: wiki.example.com:80@board.example.org`", to("wiki.example.com:80@board.example.org"), AS_BOB_OR_NOT
        ),
        Row("the same as `:authority`", to("wiki.example.com:80@board.example.org", http2=True), AS_BOB_OR_NOT),
        Row("`Host: wiki.example.com@board.example.org`", to("wiki.example.com@board.example.org"), REFUSED),
        Row("`Host: board.example.org`, the wiki's session", to("board.example.org"), REFUSED),
        Row("a host that nobody knows", to("unknown.example"), REFUSED),
        Row("the same over HTTP/2", to("unknown.example", http2=True), REFUSED),
        Row("`Host:` with nothing", to(""), AS_BOB_OR_NOT),
        Row(
            "two lines `Host`",
            Request(headers=[("Host", "wiki.example.com"), ("Host", "board.example.org")], who="bob"),
            REFUSED,
        ),
        Row(
            "absolute form of the board, `Host` of the wiki",
            Request("https://board.example.org/page", who="bob"),
            REFUSED,
        ),
        Row(
            "absolute form of the wiki, `Host` of the board",
            Request("https://wiki.example.com/page", host="board.example.org", who="bob"),
            either(REFUSED, lets_in("bob", target="/page")),
        ),
        Row(
            "absolute form of the wiki's `/admin/`",
            Request("https://wiki.example.com/admin/", who="bob"),
            denied(400, 403, 404),
        ),
        Row(
            "`:authority` of the wiki, `host` of the board",
            Request(headers=[*SCRIPT, ("host", "board.example.org")], http2=True, who="bob"),
            either(REFUSED, lets_in("bob")),
        ),
        Row(
            "`:authority` of the board, `host` of the wiki",
            Request(headers=[*SCRIPT, ("host", "wiki.example.com")], host="board.example.org", http2=True, who="bob"),
            REFUSED,
        ),
        *(
            row
            for path in ("/auth/verify", "/auth/denied", "/auth/forward", "/auth/ext-authz/page")
            for row in checks(path)
        ),
        *checks("/auth/%76erify"),
        *checks("/auth//verify"),
        *checks("/auth/x/../verify"),
    ],
)
