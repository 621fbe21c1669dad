"""The table in docs/gate.md: what was sent, what came of it, what the application saw."""

from __future__ import annotations


from deployed import DEPLOY, Proxy
from house import Results
from outcome import Outcome

FILE = DEPLOY.parent / "docs/gate.md"
BEGIN = "<!-- table of requests: written by `UPDATE_DOCS=1 python3 tools/test.py proxies` from tests/proxies/rows -->\n"
END = "<!-- end of the table of requests -->\n"

HOW_TO_READ = """\
Each row is one request to each proxy, with the files of `deploy/`, the real program and a real application behind. A cell has
the status that came back. Where a request reached an application, the cell also says which one and whom it was told, and the
path if it saw another than was sent; where a cell is a status alone, no application has seen the request. `closed`: the proxy
ended the connection or the stream. People: alice is one of the group that may use `/admin/`, bob is not. The settings are those of
`deploy/vestibule.gate.toml`; the board also has `preflight = true` and a rule with `addresses`.

For every row it is checked as well that the application saw none of Vestibule's cookies and all of its own, each name of the
identity at most once, no name with `_`, no trailer, no header that only a proxy may send and this one did not, the client's
address in `X-Real-IP` and `X-Forwarded-For` and nothing else there, its own host, and no upgrade but to a WebSocket; and that
no answer to the browser has a name of the identity.
"""


def cell(outcome: Outcome) -> str:
    """The status and, where an application has seen the request, as whose and in which form."""
    status = str(outcome.answer.status or "closed")
    if not outcome.seen:
        return status
    seen = outcome.seen[0]
    told = f"{status} {seen.application}: {seen.one('Remote-User') or 'nobody'}"
    return told if seen.target == outcome.request.target else f"{told}, `{_escaped(seen.target)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def table(proxies: list[Proxy], results: Results) -> str:
    versions = ", ".join(f"{proxy.title} {proxy.version_found()}" for proxy in proxies)
    reasons: list[str] = []
    text = f"{BEGIN}\n{HOW_TO_READ}\nRun with {versions}.\n"
    for group, rows in results:
        text += f"\n### {group.title}\n\n| sent | {' | '.join(proxy.title for proxy in proxies)} |\n"
        text += f"|---|{'---|' * len(proxies)}\n"
        for row, outcomes in rows:
            cells = []
            for proxy in proxies:
                note = ""
                if proxy.name in row.unlike:
                    why = row.unlike[proxy.name].why
                    reasons += [] if why in reasons else [why]
                    note = f" ({reasons.index(why) + 1})"
                cells.append(cell(outcomes[proxy.name]) + note)
            text += f"| {_escaped(row.what)} | {' | '.join(cells)} |\n"
    text += "".join(f"\n{number}. {why}" for number, why in enumerate(reasons, 1)) + "\n\n"
    return text + END


def check(written: str, update: bool) -> bool:
    """Whether docs/gate.md has this table. With `update`, it has afterwards."""
    text = FILE.read_text() if FILE.exists() else f"# The gate\n\n{BEGIN}{END}"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = before + written + after
    if update:
        FILE.write_text(new)
    return update or new == text
