#!/usr/bin/env python3
"""The modules of the program as a graph: which file imports what from which.

    tools/graph.py          draws it as text, the highest layer first
    tools/graph.py --dot    draws it for Graphviz
    tools/graph.py --check  names every cycle, every import from a lower layer to a higher one, and every import that
                            a rule below forbids; the exit status is 1 if there is one

An arrow is a `use`, or a path in the code. A name that is imported from another module leads to the file that defines
it, through any number of re-exports; a path that ends at a module leads nowhere by itself, since what is used of the
module is a path of its own. Tests are left out. What text does not show is not seen: methods, and what macros write.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rust_source import blank, end_of_group, line_of, without_literals, without_tests

ROOT = Path(__file__).resolve().parent.parent

# The layers of src, highest first. A layer may import from itself and from those below it. A name is a module with all
# that is in it, or with `.rs` that file alone; the longest name that fits decides.
LAYERS = [
    "main lib.rs",
    "server/demo",
    "server.rs server/startup server/rules_check server/keys server/fuzzing",
    "server/router",
    "api server/http/pages",
    "server/http",
    "server/state",
    "server/assets",
    "server/telemetry server/key_file",
    "server/gate",
    "server/sign_in",
    "server/accounts server/session",
    "server/provider",
    "server/settings",
    "server/gate/asked server/gate/path server/gate/rules",
    "server/application",
    "server/store",
    "server/client_key server/seal server/problem server/failure_log server/operator_texts server/attempt server/trace server/client_address server/cookie_headers server/public_url",
    "server/jwk server/jwt server/clock server/email_address server/ids server/log_text",
    "server/stderr",
    "server/limits",
    "view",
    "outcome paths remedy visible",
]
# Modules that know nothing of each other, though their layers would allow it: the first never imports from the second.
STRANGERS = [
    ("view", "server"),
    ("server/store", "server/provider"),
    ("server/provider", "server/store"),
    ("server/provider", "server/accounts"),
]
# Crates that a module never names.
FOREIGN = {"server/sign_in": {"axum", "axum_extra", "axum_server", "leptos", "leptos_axum", "leptos_meta"}}

USE = re.compile(r"(?<![\w#])use\s+([^;]+);")
PATH = re.compile(r"(?<![\w:$'])(?:::\s*)?(?:r#)?[A-Za-z_]\w*(?:\s*::\s*(?:r#)?[A-Za-z_]\w*)+")
INLINE_MODULE = re.compile(r"(?<![\w#])mod\s+(\w+)\s*\{")
RESTRICTED = re.compile(r"\bpub\s*\(\s*in\s[^)]*\)")
TOKEN = re.compile(r"::|[{},*]|(?:r#)?\w+")

Segments = tuple[str, ...]


@dataclass(frozen=True)
class Import:
    """One name of a `use`: where it comes from, and what it is called here (`*`: all of it)."""

    path: Segments
    name: str
    line: int


@dataclass
class Module:
    """A module: a file, or part of one."""

    path: Segments
    file: str
    imports: list[Import] = field(default_factory=list)
    mentions: list[tuple[Segments, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Arrow:
    """One file imports from another."""

    source: str
    target: str


def segments(path: str) -> Segments:
    return tuple(part.strip().removeprefix("r#") for part in path.strip().split("::"))


def tree(text: str, line: int) -> list[Import]:
    """The names of a `use`, with nested braces opened up."""
    tokens = TOKEN.findall(text)
    found: list[Import] = []

    def branch(at: int, before: Segments) -> int:
        """Reads one branch and returns where it ends."""
        path = before
        while at < len(tokens) and tokens[at] not in ("}", ","):
            if tokens[at] == "{":
                at += 1
                while tokens[at] != "}":
                    at = branch(at, path)
                    at += tokens[at] == ","
                return at + 1
            if tokens[at] == "as":
                found.append(Import(path, tokens[at + 1], line))
                return at + 2
            if tokens[at] == "*":
                found.append(Import(path, "*", line))
                return at + 1
            # A path that begins with `::` is another crate's.
            path += ("",) if tokens[at] == "::" and not path else ()
            path += (tokens[at].removeprefix("r#"),) if tokens[at] != "::" else ()
            at += 1
        if path[-1] == "self" and len(path) > 1:
            path = path[:-1]
        found.append(Import(path, path[-1], line))
        return at

    branch(0, ())
    return found


class Crate:
    """All modules of one crate."""

    def __init__(self, sources: dict[str, str], name: str = "vestibule"):
        """`sources`: the text of each file by its path below the crate's src; its program knows its library by `name`."""
        self.roots = {"crate", name}
        self.modules: dict[Segments, Module] = {}
        tests = set()
        for file, text in sources.items():
            code, untold = without_tests(RESTRICTED.sub(lambda it: blank(it[0]), without_literals(text)))
            tests |= {(*self._path(file), name) for name in untold}
            self._read(file, self._path(file), code)
        for path in [path for path in self.modules if any(path[: len(test)] == test for test in tests)]:
            del self.modules[path]

    @staticmethod
    def _path(file: str) -> Segments:
        parts = Path(file).with_suffix("").parts
        if parts[-1] in ("lib", "mod"):
            return parts[:-1]
        return parts

    def _read(self, file: str, path: Segments, code: str, offset_line: int = 0) -> None:
        module = self.modules[path] = Module(path, file)
        while inline := INLINE_MODULE.search(code):
            opening = inline.end() - 1
            end = end_of_group(code, opening)
            self._read(file, (*path, inline[1]), code[opening + 1 : end - 1], offset_line + line_of(code, opening) - 1)
            code = code[: inline.start()] + blank(code[inline.start() : end]) + code[end:]
        for use in USE.finditer(code):
            module.imports += tree(use[1], offset_line + line_of(code, use.start()))
        code = USE.sub(lambda it: blank(it[0]), code)
        for mention in PATH.finditer(code):
            module.mentions.append((segments(mention[0]), offset_line + line_of(code, mention.start())))

    def resolve(self, module: Module, path: Segments, seen: frozenset = frozenset()) -> str | None:
        """The file that defines what `path` means in `module`. None: another crate's, or a module as a whole."""
        key = (module.path, path)
        if key in seen:
            return None
        seen |= {key}
        start, rest = self._start(module, path)
        if start is None:
            # A name that is imported here, or a module beside this code.
            for known in module.imports:
                if known.name == path[0] and known.path != path:
                    return self.resolve(module, known.path + path[1:], seen)
            return None
        while rest and (*start, rest[0]) in self.modules and not self._is_item(start, rest):
            start, rest = (*start, rest[0]), rest[1:]
        if not rest:
            return None
        here = self.modules.get(start)
        if here is None:
            return None
        for known in here.imports:
            if known.name == rest[0] and (here is not module or known.path != path):
                return self.resolve(here, known.path + rest[1:], seen) or self._own(here, known)
        for known in here.imports:
            if known.name == "*" and (found := self._through_glob(here, known, rest, seen)):
                return found
        return here.file

    def _own(self, here: Module, known: Import) -> str | None:
        """Where a re-export leads to nothing of this crate, the file that re-exports another crate's name."""
        start, _ = self._start(here, known.path)
        return here.file if start is None else None

    def _is_item(self, start: Segments, rest: Segments) -> bool:
        """Whether the last part names an item that a module of the same name re-exports, as in `pub use waiting::waiting`."""
        if len(rest) > 1 or start not in self.modules:
            return False
        child = (*start, rest[0])
        return any(
            known.name == rest[0] and self._absolute(self.modules[start], known.path) != child
            for known in self.modules[start].imports
        )

    def _absolute(self, module: Module, path: Segments) -> Segments | None:
        start, rest = self._start(module, path)
        return None if start is None else start + rest

    def _start(self, module: Module, path: Segments) -> tuple[Segments | None, Segments]:
        """The module where the path begins, and the rest of the path."""
        first = path[0]
        if first in self.roots:
            return (), path[1:]
        if first == "self":
            return module.path, path[1:]
        if first == "super":
            above = module.path
            while path and path[0] == "super":
                above, path = above[:-1], path[1:]
            return above, path
        if (*module.path, first) in self.modules and len(path) > 1:
            return module.path, path
        return None, path

    def _through_glob(self, here: Module, known: Import, rest: Segments, seen: frozenset) -> str | None:
        """The file that defines `rest[0]`, where `here` re-exports it by `*`."""
        target = self._absolute(here, known.path)
        if target is None or target not in self.modules or target == here.path:
            return None
        found = self.resolve(self.modules[target], ("self", *rest), seen)
        # Only what is named there is known to come from there.
        return found if found != self.modules[target].file else None

    def arrows(self) -> dict[Arrow, int]:
        """Every arrow, with a line that shows it."""
        found: dict[Arrow, int] = {}
        for module in self.modules.values():
            for path, line in self._paths(module):
                target = self._all_of(module, path[:-1]) if path[-1] == "*" else self.resolve(module, path)
                if target is not None and target != module.file:
                    found.setdefault(Arrow(module.file, target), line)
        return found

    def _all_of(self, module: Module, path: Segments) -> str | None:
        """The file that `use path::*` imports from."""
        start = self._absolute(module, path)
        whole = self.modules.get(start) if start is not None else None
        return whole.file if whole else self.resolve(module, path)

    def _paths(self, module: Module) -> Iterator[tuple[Segments, int]]:
        for known in module.imports:
            yield (*known.path, "*") if known.name == "*" else known.path, known.line
        yield from module.mentions

    def foreigners(self, crates: set[str]) -> Iterator[tuple[str, str, int]]:
        """Files that name one of these crates, with a line that shows it."""
        for module in self.modules.values():
            for path, line in self._paths(module):
                first = path[1] if path[0] == "" and len(path) > 1 else path[0]
                if first in crates:
                    yield module.file, first, line

    def files(self) -> list[str]:
        return sorted({module.file for module in self.modules.values()})


def cycles(arrows: Iterable[Arrow]) -> list[list[str]]:
    """Ways round, the shortest first; no two of them share an arrow, and without their arrows there is no other."""
    after: dict[str, set[str]] = defaultdict(set)
    for arrow in arrows:
        after[arrow.source].add(arrow.target)

    def way(start: str, end: str) -> list[str] | None:
        """A shortest way from one file to another, by at least one arrow."""
        ways, seen = [[start]], set()
        for walked in ways:
            for target in sorted(after[walked[-1]]):
                if target == end:
                    return [*walked, end]
                if target not in seen:
                    seen.add(target)
                    ways.append([*walked, target])
        return None

    found = []
    while ways := [walked for file in sorted(after) if (walked := way(file, file))]:
        shortest = min(ways, key=len)
        found.append(shortest)
        for source, target in zip(shortest, shortest[1:]):
            after[source].discard(target)
    return found


def belongs(file: str, module: str) -> bool:
    """Whether the file is the module, or part of it."""
    return file in (module, f"{module}.rs") or file.startswith(f"{module}/")


def layer_of(file: str, layers: list[str]) -> int | None:
    """The number of the file's layer, 0 the highest."""
    fitting = [(len(name), number) for number, names in enumerate(layers) for name in names.split() if belongs(file, name)]
    return max(fitting)[1] if fitting else None


def faults(crate: Crate, layers: list[str]) -> list[str]:
    """What is wrong with the crate, a line each."""
    arrows = crate.arrows()
    shown = lambda source, target: f"{source}:{arrows[Arrow(source, target)]} -> {target}"  # noqa: E731
    found = []
    for way in cycles(arrows):
        found.append("cycle: " + ", ".join(shown(source, target) for source, target in zip(way, way[1:])))
    if layers:
        found += [f"no layer: {file}; give it one in tools/graph.py" for file in crate.files() if layer_of(file, layers) is None]
        for arrow in sorted(arrows, key=str):
            source, target = layer_of(arrow.source, layers), layer_of(arrow.target, layers)
            if source is not None and target is not None and source > target:
                found.append(f"upwards: {shown(arrow.source, arrow.target)}")
        for source, target in STRANGERS:
            found += [
                f"{source} must not know {target}: {shown(arrow.source, arrow.target)}"
                for arrow in sorted(arrows, key=str)
                if belongs(arrow.source, source) and belongs(arrow.target, target)
            ]
        for source, crates in FOREIGN.items():
            found += [
                f"{source} must not know {name}: {file}:{line}"
                for file, name, line in crate.foreigners(crates)
                if belongs(file, source)
            ]
    return found


def drawn(crate: Crate, layers: list[str]) -> str:
    """The graph as text: a file a line, with what it imports from."""
    after = defaultdict(list)
    for arrow in sorted(crate.arrows(), key=str):
        after[arrow.source].append(arrow.target.removesuffix(".rs"))
    lines = []
    for number, names in enumerate(layers):
        lines.append(f"{number + 1}. {names}")
        for file in crate.files():
            if layer_of(file, layers) == number:
                targets = " ".join(after[file])
                lines.append(f"   {file.removesuffix('.rs')}" + (f" -> {targets}" if targets else ""))
    return "\n".join(lines)


def dot(crate: Crate, layers: list[str]) -> str:
    """The graph for Graphviz, a box a layer."""
    lines = ["digraph modules {", "  rankdir=TB; node [shape=box, fontsize=10];"]
    for number, names in enumerate(layers):
        files = [file for file in crate.files() if layer_of(file, layers) == number]
        inside = " ".join(f'"{file.removesuffix(".rs")}";' for file in files)
        lines.append(f'  subgraph cluster_{number} {{ label="{names}"; {inside} }}')
    for arrow in sorted(crate.arrows(), key=str):
        lines.append(f'  "{arrow.source.removesuffix(".rs")}" -> "{arrow.target.removesuffix(".rs")}";')
    return "\n".join([*lines, "}"])


def read(folder: Path, name: str) -> Crate:
    return Crate({str(path.relative_to(folder)): path.read_text() for path in sorted(folder.glob("**/*.rs"))}, name)


def main(arguments: list[str]) -> int:
    crate = read(ROOT / "src", "vestibule")
    if arguments == ["--check"]:
        found = faults(crate, LAYERS)
        for other in [ROOT / "xtask", *sorted(ROOT.glob("crates/*"))]:
            smaller = read(other / "src", other.name.replace("-", "_"))
            found += [f"{other.relative_to(ROOT)}: {line}" for line in faults(smaller, [])]
        print("\n".join(found) if found else "no cycle and no import from a lower layer to a higher one")
        return 1 if found else 0
    if arguments not in ([], ["--dot"]):
        print(__doc__, file=sys.stderr)
        return 2
    print(dot(crate, LAYERS) if arguments else drawn(crate, LAYERS))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
