#!/usr/bin/env python3
"""Shows what is required of a relying party, row by row, by the tests that have just run.

    tools/conformance.py                   compares docs/conformance.md with the rows in tests/conformance/
    UPDATE_DOCS=1 tools/conformance.py     writes it
    tools/conformance.py --named           lists the tests whose comments name a row that does not name them

A row names the tests that would fail without what it requires. It is a fault where one of them did not pass in this run of
tools/test.py, or was not there; a row without a test is a gap. Only stages of this run count: after a run of some stages
alone, rows that need others are counted as skipped, and not doubted. The last line is `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target/test-logs"
ROWS = ROOT / "tests/conformance"
DOCUMENT = ROOT / "docs/conformance.md"

# The plans of the OpenID Foundation that we mean to pass, in the order of the document.
PLANS = {
    "Basic": "oidcc-client-basic-certification-test-plan",
    "Form Post": "oidcc-client-formpost-basic-certification-test-plan",
    "Config": "oidcc-client-config-certification-test-plan",
    "Third-Party Login": "oidcc-client-test-3rd-party-init-login-test-plan",
    "RP-Initiated Logout": "oidcc-client-rp-initiated-logout-rp-basic",
    "Back-Channel Logout": "oidcc-client-back-channel-logout-rp-basic",
}
LEVELS = {"M": "must", "S": "should", "P": "ours", "": "–"}
# The tests of stage `rust` that stage `mongodb` runs once more, on MongoDB …
ON_BOTH_STORES = ("flow::", "gate::", "http::")
# … but for those that damage SQLite's file, or look into it: MongoDB's faults have tests of their own (`store::mongo`).
SQLITE_ONLY = (
    # A hundred and sixty people at once are more than SecantusDB serves in time.
    "flow::limits::sign_ins_waiting_for_one_provider_do_not_delay_those_at_another",
    "flow::backchannel::trouble::",
    "flow::sign_out::a_sign_out_that_failed_half_way_is_whole_the_next_time",
    "flow::sign_out_there::a_store_that_fails_leaves_the_person_signed_in",
    "flow::outage::a_damaged_database_signs_nobody_out",
    "flow::outage::a_poll_while_a_table_is_gone_gets_a_response_and_continues_by_itself",
    "gate::alone::a_check_is_a_visit",
    "gate::pages::problems_on_an_applications_host_link_only_what_is_ours_there",
    "gate::recheck::a_store_that_takes_no_note_turns_nobody_away",
    "gate::scripts::the_store_away_is_no_sign_out_to_a_script",
    "gate::table::the_store_cannot_tell",
    "http::a_store_that_cannot_tell_removes_no_session_cookie",
)


@dataclass(frozen=True)
class Row:
    """What is required, and the tests that show it."""

    id: str
    level: str
    needs: str
    tests: tuple[str, ...] = ()
    not_applicable: str = ""
    # Where the design meets the same danger in another way.
    instead: str = ""
    plans: tuple[str, ...] = ()
    module: str = ""

    @property
    def is_gap(self) -> bool:
        return not self.tests and not self.not_applicable


@dataclass(frozen=True)
class Group:
    letter: str
    title: str
    rows: tuple[Row, ...]


def read_groups(folder: Path) -> list[Group]:
    """The rows, a file for each group. Raises ValueError where a file does not say what it should."""
    groups = []
    for path in sorted(folder.glob("*.toml")):
        content = tomllib.loads(path.read_text())
        title = content.pop("group")
        groups.append(Group(path.stem.upper(), title, tuple(read_row(id, row) for id, row in content.items())))
    return groups


def read_row(id: str, row: dict[str, object]) -> Row:
    unknown = set(row) - {"level", "needs", "tests", "not_applicable", "instead", "plans", "module"}
    if unknown:
        raise ValueError(f"{id}: no such member: {', '.join(sorted(unknown))}")
    if row.get("tests") and row.get("not_applicable"):
        raise ValueError(f"{id} has tests and is not applicable")
    if row["level"] not in LEVELS:
        raise ValueError(f"{id}: level is {row['level']}")
    lists = {name: tuple(row.get(name, ())) for name in ("tests", "plans")}
    for plan in lists["plans"]:
        if plan not in PLANS:
            raise ValueError(f"{id}: no such plan: {plan}")
    return Row(id=id, **{**row, **lists})  # type: ignore[arg-type]


# What a stage's log says: a test's name, and whether it passed.
Results = dict[str, bool]


def of_cargo(log: str) -> Results:
    """The output of cargo test. With one thread, other output may stand between a test's name and its result. One that began
    and has no result, since the run was cut off, did not pass."""
    began = re.compile(r"^test (\S+?)(?: - should panic)? \.\.\. ", re.MULTILINE)
    parts = began.split(log)[1:]
    results = {name: re.search(r"(?:^|\n)ok$", rest, re.MULTILINE) is not None for name, rest in zip(parts[::2], parts[1::2])}
    for failures in re.findall(r"^failures:\n((?:    \S+\n)+)", log, re.MULTILINE):
        results.update({name: False for name in failures.split()})
    return results


def of_playwright(report: str) -> Results:
    """Playwright's JSON report: `file › title`, passed in every project where it was not skipped."""
    states: dict[str, list[str]] = {}

    def suite(found: dict) -> None:
        for spec in found.get("specs", []):
            name = f"{Path(spec['file']).name} › {spec['title']}"
            # One for each project, in one entry or in several.
            of_this = states.setdefault(name, [])
            of_this += [test["status"] for test in spec["tests"] if test["status"] != "skipped"]
        for inner in found.get("suites", []):
            suite(inner)

    for top in json.loads(report).get("suites", []):
        suite(top)
    return {name: bool(found) and all(state == "expected" for state in found) for name, found in states.items()}


READERS = {"rust": of_cargo, "load": of_cargo, "mongodb": of_cargo}
BROWSERS = ("end2end", "keycloak", "hydra")


def stages_of(test: str) -> tuple[str, ...]:
    """In which stages a test has to pass."""
    if ".spec.ts › " in test:
        spec = test.split(".", 1)[0]
        return (spec if spec in BROWSERS else "end2end",)
    if test.startswith("load::"):
        return ("load",)
    if test.startswith(ON_BOTH_STORES) and not test.startswith(SQLITE_ONLY):
        return ("rust", "mongodb")
    return ("rust",)


@dataclass
class Run:
    """The results of this run, by stage. Those that did not run are not in it."""

    stages: dict[str, Results] = field(default_factory=dict)

    @staticmethod
    def read(logs: Path) -> Run:
        try:
            ran = json.loads((logs / "run.json").read_text())
        except (OSError, ValueError):
            ran = []
        run = Run()
        for name in ran:
            if name in READERS:
                run.stages[name] = READERS[name]((logs / f"{name}.log").read_text(errors="replace"))
            elif name in BROWSERS:
                report = logs / f"{name}.json"
                run.stages[name] = of_playwright(report.read_text()) if report.exists() else {}
        return run

    def fault(self, test: str) -> str | None:
        """Why it does not show anything; empty: one of its stages did not run; None: it passed."""
        missing = False
        for stage in stages_of(test):
            results = self.stages.get(stage)
            if results is None:
                missing = True
                continue
            # A title may have a part that is another each time.
            pattern = re.compile(re.escape(test).replace(r"\*", ".*"))
            found = [passed for name, passed in results.items() if pattern.fullmatch(name)]
            if not found:
                return f"did not run in stage {stage}"
            if not all(found):
                return f"did not pass in stage {stage}"
        return "" if missing else None


def places(tests: Iterable[str]) -> str:
    """Where the tests of a row run, in short."""
    found = set()
    for test in tests:
        if ".spec.ts › " in test:
            found.add("N")
        elif test.startswith(("server::", "view::", "provider::")):
            found.add("U" if not test.startswith("provider::") else "P")
        elif test.endswith("::mongo") or test.startswith("store::mongo::"):
            found.add("M")
        elif "mongo" in stages_of(test)[-1]:
            found.update("SM")
        else:
            found.add("S")
    return " ".join(letter for letter in "UPSMN" if letter in found)


HEAD = """<!-- Written by `UPDATE_DOCS=1 tools/test.py conformance`; tests/conformance/ has the rows. -->
# What a relying party has to do, and what shows that we do

Every row is a danger or a rule of the specifications, in plain words, and the tests that would fail if the program did not
keep to it. `make test` fails where one of them does not pass, and where this page says something else than the tests.

{totals}

**Levels.** must: a MUST of a specification, or a module of a certification plan. should: a SHOULD, or best practice. ours: a rule that
no specification asks for.

**Where.** U: a unit. P: the protocol, over HTTP, against a provider that misbehaves. S, M: the whole program by its router, over TCP, with
SQLite, with MongoDB. N: Chromium, with script and without, through nginx, with MongoDB.

“Instead” says where the design meets the same danger in another way.
"""


PLANS_NOTE = """
The Foundation's suite is not part of this run, and Vestibule is not certified: what each module demands was read in the suite's source and
is shown by tests of ours.
"""


def document(groups: list[Group]) -> str:
    rows = [row for group in groups for row in group.rows]
    parts = [HEAD.format(totals=totals(rows)), "\n## Plans of the OpenID Foundation, module by module\n", PLANS_NOTE]
    for plan, name in PLANS.items():
        modules = [row for row in rows if plan in row.plans]
        shown = sum(not row.is_gap for row in modules)
        parts.append(f"\n**{plan}** (`{name}`): {shown} of {len(modules)} modules.\n\n| module | row | |\n|---|---|---|\n")
        parts += [f"| `{row.module}` | {row.id} | {result(row)} |\n" for row in modules]
    for group in groups:
        parts.append(f"\n## {group.letter}. {group.title}\n\n| row | level | what is required | where | shown by |\n|---|---|---|---|---|\n")
        parts += [line(row) for row in group.rows]
    gaps = [row.id for row in rows if row.is_gap]
    parts.append(f"\n## Gaps\n\n{', '.join(gaps) or 'None.'}\n")
    return "".join(parts)


def totals(rows: list[Row]) -> str:
    lines = ["| | must | should | ours | in all |", "|---|--:|--:|--:|--:|"]
    for name, fits in (
        ("pass", lambda row: bool(row.tests)),
        ("not applicable", lambda row: bool(row.not_applicable)),
        ("gap", lambda row: row.is_gap),
    ):
        counted = [row for row in rows if fits(row)]
        levels = [sum(row.level == level for row in counted) for level in ("M", "S", "P")]
        lines.append(f"| {name} | " + " | ".join(map(str, levels)) + f" | {len(counted)} |")
    return "\n".join(lines)


def result(row: Row) -> str:
    if row.not_applicable:
        return "not applicable"
    return "**gap**" if row.is_gap else "pass"


def line(row: Row) -> str:
    needs = row.needs + (f" Instead: {row.instead}" if row.instead else "")
    if row.not_applicable:
        shown = f"Not applicable: {row.not_applicable}"
    elif row.is_gap:
        shown = "**gap**"
    else:
        shown = "<br>".join(f"`{test}`" for test in row.tests)
    cells = [row.id, LEVELS[row.level], needs, places(row.tests), shown]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def judge(groups: list[Group], run: Run) -> tuple[int, list[str], list[str]]:
    """How many rows are shown by this run, what is wrong, and which rows it does not say anything about."""
    shown, faults, unknown = 0, [], []
    for row in (row for group in groups for row in group.rows):
        if row.not_applicable:
            continue
        found = {test: run.fault(test) for test in row.tests}
        faults += [f"{row.id}: {test} {fault}" for test, fault in found.items() if fault]
        if row.is_gap:
            unknown.append(f"{row.id} is a gap: {row.needs}")
        elif all(fault is None for fault in found.values()):
            shown += 1
        elif not any(found.values()):
            unknown.append(f"{row.id}: a stage that it needs did not run")
    return shown, faults, unknown


TEST = re.compile(r"((?:^ *//.*\n|^ *#\[.*\n)*)^ *(?:async )?fn (\w+)", re.MULTILINE)
ID = re.compile(r"\b[A-Z]{2}-\d\d\b")


def named(root: Path) -> dict[str, set[str]]:
    """The rows that comments and messages of Rust tests name, each with those tests: as good as text tells it."""
    found: dict[str, set[str]] = {}
    for top in (root / "tests/it", root / "src"):
        for path in sorted(top.rglob("*.rs")):
            text = path.read_text()
            module = "::".join(path.relative_to(top).with_suffix("").parts)
            tests = list(TEST.finditer(text))
            ends = [test.start() for test in tests[1:]] + [len(text)]
            for test, end in zip(tests, ends):
                if not re.search(r"#\[(?:tokio::)?test\b", test[1]) and f"    {test[2]},\n" not in text:
                    continue
                inner = "::tests" if top.name == "src" and "tests" not in path.parts and path.stem != "tests" else ""
                for id in ID.findall(text[test.start() : end]):
                    found.setdefault(id, set()).add(f"{module}{inner}::{test[2]}")
    return found


def print_named(groups: list[Group]) -> None:
    tests = named(ROOT)
    for row in (row for group in groups for row in group.rows):
        known = {test.removesuffix("::mongo").removesuffix("::sqlite") for test in row.tests}
        for test in sorted(tests.get(row.id, set()) - known):
            print(f"{row.id}{' (a gap)' if row.is_gap else ''}: {test}")


def main() -> int:
    groups = read_groups(ROWS)
    if sys.argv[1:] == ["--named"]:
        print_named(groups)
        return 0
    shown, faults, unknown = judge(groups, Run.read(LOGS))
    wanted = document(groups)
    if os.environ.get("UPDATE_DOCS") and not faults:
        DOCUMENT.write_text(wanted)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != wanted:
        faults.append("docs/conformance.md is not what tests/conformance/ makes of it: UPDATE_DOCS=1 tools/test.py conformance")
    print("\n".join(unknown + faults))
    print(f"{shown} passed, {len(faults)} failed, {len(unknown)} skipped")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
