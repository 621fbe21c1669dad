"""Rust source files as text: what is left of one without comments, literals and tests, and where its functions are.

No parser: it knows comments, literals, braces and `#[cfg(test)]`, and leaves every line on its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LITERAL = re.compile(
    r"""
      //[^\n]*
    | (?<![\w])[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
    | (?<![\w])[bc]?"(?:\\.|[^"\\])*"
    | (?<![\w])b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'
    | /\*
    """,
    re.VERBOSE | re.DOTALL,
)
CFG_TEST = re.compile(r"#\s*\[\s*cfg\s*\(\s*(?:all\s*\(\s*)?test\b")
FUNCTION = re.compile(r"\bfn\s+(?:r#)?(\w+)")
CLOSING = {"(": ")", "[": "]", "{": "}"}


def blank(text: str) -> str:
    """Spaces instead of everything but line ends."""
    return re.sub(r"[^\n]", " ", text)


def _end_of_comment(text: str, start: int) -> int:
    """Where a block comment ends; they nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(text)


def without_literals(text: str) -> str:
    """The text with comments and literals blanked."""
    parts, at = [], 0
    while found := LITERAL.search(text, at):
        end = _end_of_comment(text, found.start()) if found[0] == "/*" else found.end()
        parts += [text[at : found.start()], blank(text[found.start() : end])]
        at = end
    return "".join(parts) + text[at:]


def end_of_group(code: str, start: int) -> int:
    """Just behind the bracket that closes the one at `start`."""
    opening = code[start]
    depth = 0
    for mark in re.finditer(re.escape(opening) + "|" + re.escape(CLOSING[opening]), code[start:]):
        depth += 1 if mark[0] == opening else -1
        if depth == 0:
            return start + mark.end()
    return len(code)


def _end_of_item(code: str, start: int) -> int:
    """Just behind the item at `start`, which may begin with attributes."""
    is_import = None
    at = start
    while at < len(code):
        if code[at] in "([" or (code[at] == "{" and is_import):
            at = end_of_group(code, at)
        elif code[at] == "{":
            return end_of_group(code, at)
        elif code[at] == ";":
            return at + 1
        else:
            if is_import is None and (word := re.compile(r"(?:pub\s+)?([A-Za-z_]\w*)").match(code, at)):
                is_import = word[1] == "use"
            at += 1
    return at


def without_tests(code: str) -> tuple[str, list[str]]:
    """The code with `#[cfg(test)]` items blanked, and the names of the modules among them that are files."""
    files = []
    at = 0
    while found := CFG_TEST.search(code, at):
        end = _end_of_item(code, found.start())
        files += re.findall(r"\bmod\s+(\w+)\s*;", code[found.start() : end])
        code = code[: found.start()] + blank(code[found.start() : end]) + code[end:]
        at = end
    return code, files


@dataclass(frozen=True)
class Function:
    """A function with a body; `lines` from its `fn` to its closing brace."""

    name: str
    line: int
    lines: int


def functions(code: str) -> list[Function]:
    """All functions of code without literals, nested ones too."""
    found = []
    for name in FUNCTION.finditer(code):
        at = name.end()
        while at < len(code) and code[at] not in "{;":
            at = end_of_group(code, at) if code[at] in "([" else at + 1
        if at < len(code) and code[at] == "{":
            lines = code.count("\n", name.start(), end_of_group(code, at)) + 1
            found.append(Function(name[1], line_of(code, name.start()), lines))
    return found


def line_of(code: str, offset: int) -> int:
    """The number of the line with that character."""
    return code.count("\n", 0, offset) + 1
