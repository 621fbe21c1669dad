#!/usr/bin/env python3
"""Alters the files that hold checks, one place at a time, and says which alterations no test notices (cargo-mutants).

    tools/mutants.py                 all of them
    tools/mutants.py NAME...         those whose path contains a name
    tools/mutants.py --shard 1/4     every fourth file, from the first on
    tools/mutants.py --count         how many alterations there are

It works on the last commit, in a tree of its own, and with the tests that belong to each file: what an alteration costs is one
incremental build and seconds of test. What is said to be equivalent (EQUIVALENT) is not tried. The last line is
`N passed, N failed, N skipped`: caught, not noticed, and what could not be built. Lists are in the folder that it names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from test import environment

ROOT = Path(__file__).resolve().parent.parent
SRC = "src/server/"
FEATURES = ["--features", "ssr,demo"]
# No tests of units, and none of the whole, take longer on a busy machine; but those that an alteration lets run for ever do.
UNITS_SECONDS, WHOLE_SECONDS = 40, 120

# Each file with the tests that belong to it: of units, or of the whole (`tests/it`), by parts of their names.
PROTOCOL = ("it", "provider::")
FILES: dict[str, list[tuple[str, ...]]] = {
    "provider/id_token.rs": [PROTOCOL],
    "provider/jwt.rs": [("lib", "server::provider::jwt"), ("it", "provider::", "flow::backchannel::")],
    "provider/jwks.rs": [("lib", "server::provider::jwks", "server::fuzzing"), PROTOCOL],
    "provider/userinfo.rs": [PROTOCOL],
    "provider/discovery.rs": [("it", "provider::", "log::lines")],
    "provider/logout_token.rs": [("it", "flow::backchannel::")],
    "sign_in/authorization_response.rs": [("lib", "server::sign_in::", "server::fuzzing")],
    "sign_in/callback_query.rs": [("lib", "server::sign_in::", "server::fuzzing")],
    "sign_in/callback.rs": [
        ("lib", "server::sign_in::callback::"),
        ("it", "flow::callback", "flow::answers", "flow::handed_on", "flow::outage", "flow::limits"),
    ],
    "sign_in/return_to.rs": [("lib", "server::sign_in::", "server::http::return_to_parameter", "server::fuzzing")],
    "sign_in/state.rs": [("lib", "server::sign_in::", "server::fuzzing"), ("it", "flow::answers", "flow::sessions")],
    "gate/asked.rs": [("lib", "server::gate::")],
    "gate/path.rs": [("lib", "server::gate::")],
    "gate/rules.rs": [("lib", "server::gate::"), ("it", "rules_check::")],
}

# What no test can notice, since nothing that anybody sees is another by it. The name as cargo-mutants writes it, without the
# place, and why.
EQUIVALENT: dict[str, str] = {
    "replace | with ^ in escape": "the two halves of a byte have no bit in common",
    "replace < with <= in request": "no two moments are the same to the nanosecond",
}


def tests(wanted: Iterable[tuple[str, ...]]) -> list[str]:
    """The arguments of cargo-mutants: what is built, and which tests of that run."""
    targets, names = [], []
    for kind, *filters in wanted:
        # Of the build, too: without this cargo-mutants builds every test there is.
        targets.append("--cargo-arg=--lib" if kind == "lib" else f"--cargo-arg=--test={kind}")
        names += filters
    return [*targets, "--", "--", *names, "--skip", "load::"]


def place() -> Path:
    """Where the tree and what is built of it are."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutants"


def tree() -> Path:
    """The last commit, in a tree of its own, with the files that `make site` has made."""
    path = place() / "tree"
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    if not path.exists():
        # It may have been removed with what else was built.
        subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", path, commit], cwd=ROOT, check=True)
    subprocess.run(["git", "checkout", "--quiet", "--force", "--detach", commit], cwd=path, check=True)
    (path / "target").mkdir(exist_ok=True)
    site = path / "target/site"
    if not site.is_symlink():
        site.symlink_to(ROOT / "target/site")
    return path


def mutants(file: str, *more: str) -> list[str]:
    excluded = [word for name in EQUIVALENT for word in ("--exclude-re", f"{re.escape(name)}$")]
    return ["cargo", "mutants", "--in-place", "-f", SRC + file, "-p", "vestibule", *excluded, *more]


def try_file(file: str, at: Path) -> Counter[str]:
    """The outcomes of one file. What was not noticed is printed."""
    out = place() / "out" / Path(file).stem
    # What an earlier run has found is not this one's.
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    longest = WHOLE_SECONDS if any(kind == "it" for kind, *_ in FILES[file]) else UNITS_SECONDS
    command = mutants(
        file, "--no-shuffle", "--timeout", str(longest), "-o", str(out), "--colors", "never",
        *FEATURES, *tests(FILES[file]),
    )  # fmt: skip
    env = {**os.environ, "CARGO_TARGET_DIR": str(place() / "target"), "RUST_BACKTRACE": "0"}
    with (out / "log").open("wb") as log:
        ended = subprocess.run(command, cwd=at, env=env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    counted = outcomes(out / "mutants.out")
    # 2: some were missed; 3: some tests did not end.
    counted["error"] += ended.returncode not in (0, 2, 3)
    return counted


def outcomes(folder: Path) -> Counter[str]:
    """Reads what cargo-mutants has written."""
    try:
        found = json.loads((folder / "outcomes.json").read_text())["outcomes"]
    except (OSError, ValueError, KeyError):
        return Counter(error=1)
    counted: Counter[str] = Counter()
    for one in found:
        if one["scenario"] == "Baseline":
            counted["error"] += one["summary"] != "Success"
            continue
        counted[{"CaughtMutant": "caught", "Timeout": "caught", "MissedMutant": "missed"}.get(one["summary"], "unviable")] += 1
        if one["summary"] == "MissedMutant":
            print(f"    not noticed: {one['scenario']['Mutant']['name']}", flush=True)
    return counted


def chosen(arguments: list[str]) -> list[str]:
    files = [file for file in FILES if (ROOT / SRC / file).exists()]
    if arguments[:1] == ["--shard"]:
        number, of = map(int, arguments[1].split("/"))
        return files[number - 1 :: of]
    return [file for file in files if not arguments or any(name in file for name in arguments)]


def main(arguments: list[str]) -> int:
    os.environ.update(environment(dict(os.environ)))
    at = tree()
    if arguments == ["--count"]:
        for file in chosen([]):
            found = subprocess.check_output([*mutants(file), *FEATURES, "--list"], cwd=at, text=True)
            print(f"{len(found.splitlines()):4} {file}")
        return 0
    files = chosen(arguments)
    if not files:
        sys.exit(f"mutants: no file is meant by {' '.join(arguments)}")
    total: Counter[str] = Counter()
    for file in files:
        began = time.monotonic()
        print(file, flush=True)
        counted = try_file(file, at)
        total += counted
        print(f"    {dict(counted)} in {time.monotonic() - began:.0f} s", flush=True)
    print(f"lists are in {place() / 'out'}")
    print(f"{total['caught']} passed, {total['missed'] + total['error']} failed, {total['unviable']} skipped")
    return 1 if total["missed"] or total["error"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
