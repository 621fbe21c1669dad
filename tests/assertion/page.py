"""The snippets of docs/assertion.md."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/assertion.md"
# What the page says in place of the reader's own.
ISSUER, AUDIENCE = "https://login.example.com", "https://wiki.example.com"


def snippet(fence: str, issuer: str, audience: str) -> str:
    """The page's one block of this language, with these addresses in it."""
    blocks = re.findall(rf"^```{fence}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    if len(blocks) != 1:
        raise RuntimeError(f"docs/assertion.md has {len(blocks)} blocks of {fence}")
    for example, real in ((ISSUER, issuer), (AUDIENCE, audience)):
        if blocks[0].count(example) != 1:
            raise RuntimeError(f"the block of {fence} does not say {example} once")
        blocks[0] = blocks[0].replace(example, real)
    return blocks[0]
