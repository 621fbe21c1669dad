#!/usr/bin/env python3
"""Runs every check and test of the project and counts them.

    tools/test.py           all of `make test`
    tools/test.py NAME...   the stages of these names
    tools/test.py --ci      all, and then what only .ci/run shows

A stage that fails does not stop the others. Output goes to target/test-logs/; of a failed stage the end is shown.
The last line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from changes import Inputs, cache
from conformance import ON_BOTH_STORES, SQLITE_ONLY

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target/test-logs"
# A stage that hangs must not take the others with it.
STAGE_SECONDS = 45 * 60
TAIL_LINES = 60


@dataclass(frozen=True)
class Count:
    """Tests of one stage, or of all."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


# What a stage's output and report say; None from a stage that is one check in itself.
Counter = Callable[[str, Path], Count]


def count_cargo(output: str, _report: Path) -> Count:
    """Sums the `test result:` lines of cargo test and of wasm-bindgen-test-runner."""
    results = re.findall(r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored", output, re.MULTILINE)
    return sum((Count(*map(int, result)) for result in results), Count())


def count_unittest(output: str, _report: Path) -> Count:
    """Reads the closing lines of Python's unittest."""
    ran = re.search(r"^Ran (\d+) tests? in", output, re.MULTILINE)
    closing = re.search(r"^(?:OK|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    if not ran or not closing:
        return Count()
    named = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", closing[1] or "")}
    failed, skipped = named.get("failures", 0) + named.get("errors", 0), named.get("skipped", 0)
    return Count(int(ran[1]) - failed - skipped, failed, skipped)


def count_playwright(_output: str, report: Path) -> Count:
    """Reads Playwright's JSON report. A test that passed only when repeated has failed."""
    try:
        found = json.loads(report.read_text())
        stats = found["stats"]
        unstarted = len(found.get("errors", []))
        return Count(stats["expected"], stats["unexpected"] + stats["flaky"] + unstarted, stats["skipped"])
    except (OSError, ValueError, KeyError):
        return Count()


def count_line(output: str, _report: Path) -> Count:
    """Reads a last line like our own."""
    found = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\n?\Z", output, re.MULTILINE)
    return Count(*map(int, found.groups())) if found else Count()


@dataclass(frozen=True)
class Stage:
    """One command."""

    name: str
    command: list[str]
    counter: Counter | None = None
    folder: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)
    # Preparation counts only when it fails.
    preparation: bool = False
    # Where given, the stage runs only when something of that has changed since it last passed.
    inputs: Inputs | None = None
    # Programs that we do not install. Where one is missing, the stage counts as one skipped test.
    needs: tuple[str, ...] = ()

    @property
    def report(self) -> Path:
        return LOGS / f"{self.name}.json"


def outcome(stage: Stage, status: int, output: str) -> Count:
    """What to count for a stage that ended with `status`. Silence is a failure."""
    if stage.counter is None:
        if status != 0:
            return Count(failed=1)
        return Count() if stage.preparation else Count(passed=1)
    count = stage.counter(output, stage.report)
    if count.failed == 0 and (status != 0 or count.passed == 0):
        return count + Count(failed=1)
    return count


def run(stage: Stage) -> tuple[int, str]:
    """Runs a stage in a process group of its own, its output in its log."""
    log = LOGS / f"{stage.name}.log"
    stage.report.unlink(missing_ok=True)
    with log.open("wb") as sink:
        try:
            process = subprocess.Popen(
                stage.command,
                cwd=stage.folder,
                env=os.environ | stage.env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            sink.write(f"{stage.command[0]}: {error}\n".encode())
            status = 127
        else:
            try:
                status = process.wait(STAGE_SECONDS)
            except subprocess.TimeoutExpired:
                sink.write(f"\nstopped after {STAGE_SECONDS} s\n".encode())
                status = 124
            finally:
                # Also what the stage has left behind.
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
    return status, log.read_text(errors="replace")


def run_all(stages: list[Stage]) -> Count:
    """Runs the stages in order and says how each went."""
    LOGS.mkdir(parents=True, exist_ok=True)
    total = Count()
    ran: list[str] = []
    width = max(len(stage.name) for stage in stages)
    for number, stage in enumerate(stages, 1):
        print(f"[{number:2}/{len(stages)}] {stage.name:{width}} ", end="", flush=True)
        missing = [program for program in stage.needs if not shutil.which(program)]
        if missing:
            total += Count() if stage.preparation else Count(skipped=1)
            print(f"skipped: {' and '.join(missing)} not found", flush=True)
            continue
        hashes = stage.inputs.hashes() if stage.inputs else {}
        why = stage.inputs.why_run(hashes) if stage.inputs else ""
        if why is None:
            print("not run: nothing that it depends on has changed since it last passed", flush=True)
            continue
        began = time.monotonic()
        # Whose logs are of this run.
        (LOGS / "run.json").write_text(json.dumps(ran))
        status, output = run(stage)
        ran.append(stage.name)
        count = outcome(stage, status, output)
        total += count
        said = "ready" if count == Count() else str(count)
        print(f"{time.monotonic() - began:6.1f} s  {said}" + (f" (run: {why})" if why else ""), flush=True)
        if count.failed:
            print(f"----- the end of target/test-logs/{stage.name}.log (exit {status})")
            print("\n".join(output.splitlines()[-TAIL_LINES:]))
            print("-----", flush=True)
        elif stage.inputs and not stage.preparation:
            stage.inputs.passed(hashes)
    return total


def cargo(*arguments: str) -> list[str]:
    return ["cargo", *arguments]


# The same packages with the same features each time and never all features at once: cargo would build everything a
# second time (docs/decisions). For the same reason the test provider always comes with the program that it is part of.
SERVER = ["-p", "vestibule", "--features", "ssr"]
DEMO = ["-p", "vestibule", "-p", "test-provider", "--features", "vestibule/ssr,vestibule/demo"]
BENCH = ["-p", "bench"]
BROWSER = ["-p", "vestibule", "--no-default-features", "--features", "hydrate", "--target", "wasm32-unknown-unknown"]
DENY_WARNINGS = ["--", "-D", "warnings"]
END2END = ROOT / "end2end"
KEYCLOAK_NEEDS = ("java", "mvn")
HYDRA_NEEDS = ("go",)
BENCH_NEEDS = ("valgrind",)


def skipped(tests: tuple[str, ...]) -> list[str]:
    # Stage `load` has tests of such names, too.
    return [word for test in ("load::", *tests) for word in ("--skip", test)]


def browser_tests(name: str, *projects: str, needs: tuple[str, ...] = ()) -> Stage:
    """Projects of end2end/playwright.config.ts."""
    return Stage(
        name,
        ["npx", "playwright", "test", "--reporter=list,json", *(f"--project={project}" for project in projects)],
        count_playwright,
        folder=END2END,
        env={"PLAYWRIGHT_JSON_OUTPUT_NAME": str(LOGS / f"{name}.json")},
        needs=needs,
    )


STAGES = [
    Stage("setup", ["tools/setup", "test"], preparation=True),
    Stage("site", cargo("run", "-p", "xtask", "--", "site"), preparation=True),
    # The browser tests start these.
    Stage("build", cargo("build", *DEMO, "--bins"), preparation=True),
    Stage("graph", ["python3", "tools/graph.py", "--check"]),
    Stage("sizes", ["python3", "tools/sizes.py"]),
    Stage("rustfmt", cargo("fmt", "--all", "--", "--check", "--color", "never")),
    Stage("clippy-server", cargo("clippy", *SERVER, *DENY_WARNINGS)),
    Stage("clippy-demo", cargo("clippy", *DEMO, "--all-targets", *DENY_WARNINGS)),
    Stage("clippy-browser", cargo("clippy", *BROWSER, "--lib", "--test", "panel", *DENY_WARNINGS)),
    Stage("clippy-xtask", cargo("clippy", "-p", "xtask", "--all-targets", *DENY_WARNINGS)),
    Stage("clippy-bench", cargo("clippy", *BENCH, *DENY_WARNINGS)),
    Stage("rustdoc", cargo("doc", *DEMO, "--lib", "--no-deps"), env={"RUSTDOCFLAGS": "-D warnings"}),
    Stage("deny", cargo("deny", "check", "licenses", "bans", "sources")),
    Stage("typescript", ["npx", "tsc", "--noEmit"], folder=END2END),
    Stage("tools", ["python3", "-m", "unittest", "discover", "tools"], count_unittest),
    Stage("xtask", cargo("test", "-p", "xtask"), count_cargo),
    # Most of these wait most of the time, so twice as many run at once as the smallest machine has cores.
    Stage("rust", cargo("test", *DEMO, "--no-fail-fast", "--", "--test-threads=4", "--skip", "load::"), count_cargo),
    # These use all of the machine, and would be in the way of others and of each other.
    Stage("load", cargo("test", *DEMO, "--test", "it", "--", "--test-threads=1", "load::"), count_cargo),
    # The same people and programs on the other store. Fewer at once, since one server has them all.
    Stage(
        "mongodb",
        cargo("test", *DEMO, "--test", "it", "--no-fail-fast", "--", "--test-threads=3", *ON_BOTH_STORES, *skipped(SQLITE_ONLY)),
        count_cargo,
        env={"VESTIBULE_TEST_STORE": "mongodb"},
    ),
    Stage(
        "browser",
        cargo("test", *BROWSER, "--test", "panel"),
        count_cargo,
        env={"CHROMEDRIVER": os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")},
    ),
    # Of the program as it is shipped: cargo builds it once more, optimized.
    Stage("build-bench", cargo("build", "--release", *BENCH), preparation=True, needs=BENCH_NEEDS),
    Stage("instructions", ["python3", "tools/instructions.py"], needs=BENCH_NEEDS),
    browser_tests("end2end", "hydrated", "no-js"),
    # The configurations of deploy/ in five proxies. The Python is the one that setup-proxies has made.
    Stage("setup-proxies", ["tools/setup", "proxies"], preparation=True),
    Stage("proxies", [".tools/proxies/bin/python", "tests/proxies"], count_line),
    # The example for ClaudeLens, in nginx and with a MongoDB server, by the same Python.
    Stage("claudelens", [".tools/proxies/bin/python", "tests/claudelens"], count_unittest),
    # What the pages for operators say, asked of the program.
    Stage("documented", ["python3", "tests/documented.py"], count_unittest),
    # The snippets of docs/assertion.md, each in its language. The Python is the one that setup-assertion has made.
    Stage("setup-assertion", ["tools/setup", "assertion"], preparation=True),
    Stage("assertion", [".tools/assertion/python/bin/python", "tests/assertion"], count_line),
    # Providers that are whole programs, each minutes to install the first time.
    Stage("setup-keycloak", ["tools/setup", "keycloak"], preparation=True, needs=KEYCLOAK_NEEDS),
    browser_tests("keycloak", "keycloak", needs=KEYCLOAK_NEEDS),
    Stage("setup-hydra", ["tools/setup", "hydra"], preparation=True, needs=HYDRA_NEEDS),
    browser_tests("hydra", "hydra", needs=HYDRA_NEEDS),
    # What all of these show, row by row: the last.
    Stage("conformance", ["python3", "tools/conformance.py"], count_line),
]

# cargo-leptos is installed from source and builds everything once more, to show no more than that it still can.
LEPTOS = Inputs(
    "leptos",
    (
        "Cargo.toml",
        "Cargo.lock",
        "Leptos.toml",
        "rust-toolchain.toml",
        "xtask",
        "style",
        "public",
        "locales",
        "build",
        "build.rs",
        "src/lib.rs",
        "src/remedy.rs",
        "src/view",
        "src/visible.rs",
        "tools/versions",
        ".ci/leptos",
    ),
)
# These build the program in full and install cargo-leptos: a quarter of an hour the first time.
CI_STAGES = [
    Stage("ship", [".ci/ship"]),
    Stage("setup-leptos", ["tools/setup", "dev"], preparation=True, inputs=LEPTOS),
    Stage("leptos", [".ci/leptos"], inputs=LEPTOS),
]


def environment(found: dict[str, str]) -> dict[str, str]:
    """Where the installed programs are, if this was started without make."""
    tools = found.get("VESTIBULE_TOOLS") or str(cache(found) / "tools")
    path = os.pathsep.join([f"{tools}/bin", f"{tools}/node_modules/.bin", found.get("PATH", "")])
    return {
        "VESTIBULE_TOOLS": tools,
        "PATH": path,
        # A log holds what happened, not colours and the inside of the tools.
        "CARGO_TERM_COLOR": "never",
        "NO_COLOR": "1",
        "RUST_BACKTRACE": "0",
    }


def main(arguments: list[str]) -> int:
    everything = STAGES + CI_STAGES
    if arguments in ([], ["--ci"]):
        chosen = everything if arguments else STAGES
    else:
        # A stage that is named on the command line runs in any case.
        chosen = [replace(stage, inputs=None) for stage in everything if stage.name in arguments]
        unknown = set(arguments) - {stage.name for stage in everything}
        if unknown:
            print(f"no such stage: {', '.join(sorted(unknown))}", file=sys.stderr)
            print(f"there are: {' '.join(stage.name for stage in everything)}", file=sys.stderr)
            return 2
    os.environ.update(environment(dict(os.environ)))
    # So that a stage does not outlive us (`run` ends what it has started).
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    total = run_all(chosen)
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
