"""Tests of the counting in tools/test.py, and of versions that must agree."""

import json
import re
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import changes
import test as runner
from changes import Inputs
from test import Count, Stage, count_cargo, count_line, count_playwright, count_unittest, outcome

CARGO = """
running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
"""


class Counting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        patch = mock.patch.object(runner, "LOGS", self.folder)
        patch.start()
        self.addCleanup(patch.stop)

    def test_cargo_lines_are_summed(self):
        self.assertEqual(count_cargo(CARGO, self.folder), Count(7, 2, 1))

    def test_unittest(self):
        self.assertEqual(count_unittest("Ran 5 tests in 0.1s\n\nOK\n", self.folder), Count(5, 0, 0))
        closing = "Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=3)\n"
        self.assertEqual(count_unittest(closing, self.folder), Count(3, 3, 3))
        self.assertEqual(count_unittest("Traceback", self.folder), Count())

    def test_a_last_line_like_our_own(self):
        self.assertEqual(count_line("FAILED row\n3 passed, 2 failed, 1 skipped\n", self.folder), Count(3, 2, 1))
        self.assertEqual(count_line("3 passed, 2 failed, 1 skipped\nTraceback", self.folder), Count())

    def test_playwright_flaky_and_unstarted_are_failures(self):
        report = self.folder / "report.json"
        stats = {"expected": 5, "unexpected": 1, "flaky": 1, "skipped": 2}
        report.write_text(json.dumps({"stats": stats, "errors": [{"message": "no tests found"}]}))
        self.assertEqual(count_playwright("", report), Count(5, 3, 2))
        self.assertEqual(count_playwright("", self.folder / "missing.json"), Count())

    def test_a_check_is_one(self):
        check = Stage("check", [])
        self.assertEqual(outcome(check, 0, ""), Count(passed=1))
        self.assertEqual(outcome(check, 1, ""), Count(failed=1))

    def test_preparation_counts_only_when_it_fails(self):
        preparation = Stage("setup", [], preparation=True)
        self.assertEqual(outcome(preparation, 0, ""), Count())
        self.assertEqual(outcome(preparation, 1, ""), Count(failed=1))

    def test_silence_is_a_failure(self):
        tests = Stage("rust", [], count_cargo)
        self.assertEqual(outcome(tests, 0, ""), Count(failed=1))
        self.assertEqual(outcome(tests, 101, "error[E0425]"), Count(failed=1))
        good = "test result: ok. 3 passed; 0 failed; 0 ignored"
        self.assertEqual(outcome(tests, 0, good), Count(3, 0, 0))
        self.assertEqual(outcome(tests, 101, good), Count(3, 1, 0), "another test binary died")
        self.assertEqual(outcome(tests, 101, CARGO), Count(7, 2, 1), "the failed ones are already counted")

    def test_a_stage_runs_and_its_failure_does_not_stop_the_next(self):
        stages = [Stage("missing", ["/nonexistent/program"]), Stage("fails", ["false"]), Stage("works", ["true"])]
        with mock.patch("builtins.print"):
            self.assertEqual(runner.run_all(stages), Count(1, 2, 0))
        self.assertIn("/nonexistent/program", (self.folder / "missing.log").read_text())

    def test_a_stage_without_what_it_needs_is_skipped_and_said(self):
        stages = [
            Stage("setup", ["false"], preparation=True, needs=("sh", "no-such-program")),
            Stage("tests", ["false"], needs=("no-such-program",)),
            Stage("works", ["true"], needs=("sh",)),
        ]
        with mock.patch("builtins.print") as said:
            self.assertEqual(runner.run_all(stages), Count(1, 0, 1))
        lines = [call.args[0] for call in said.call_args_list]
        self.assertEqual(lines.count("skipped: no-such-program not found"), 2)

    def test_a_stage_that_hangs_is_stopped(self):
        with mock.patch.object(runner, "STAGE_SECONDS", 0.2):
            self.assertEqual(runner.run(Stage("hangs", ["sleep", "60"]))[0], 124)

    def test_the_line(self):
        self.assertEqual(str(Count(3, 2, 1)), "3 passed, 2 failed, 1 skipped")


class Changes(unittest.TestCase):
    """A stage with inputs runs when one of them has changed since it last passed, and always on GitHub."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.env = {"XDG_CACHE_HOME": str(self.root / "cache")}
        (self.root / "style/deep").mkdir(parents=True)
        (self.root / "style/deep/a.css").write_text("a")
        (self.root / "Cargo.toml").write_text("b")
        self.inputs = Inputs("stage", ("Cargo.toml", "style", "missing"))
        for target, name, value in [
            (runner, "LOGS", self.root / "logs"),
            (changes, "ROOT", self.root),
        ]:
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def why(self):
        return self.inputs.why_run(self.inputs.hashes(self.root), self.env)

    def pass_once(self):
        self.inputs.passed(self.inputs.hashes(self.root), self.env)

    def test_it_runs_until_it_has_passed_and_then_when_something_changes(self):
        self.assertEqual(self.why(), "it has not passed on this machine")
        self.pass_once()
        self.assertIsNone(self.why())
        (self.root / "unrelated").write_text("c")
        self.assertIsNone(self.why())
        (self.root / "style/deep/a.css").rename(self.root / "style/deep/b.css")
        self.assertEqual(self.why(), "changed: style")
        (self.root / "missing").write_text("no more")
        self.assertEqual(self.why(), "changed: style missing")
        self.pass_once()
        self.assertIsNone(self.why())

    def test_always_on_github(self):
        self.pass_once()
        self.env["GITHUB_ACTIONS"] = "true"
        self.assertEqual(self.why(), "always on GitHub")

    def test_a_record_that_cannot_be_read_is_none(self):
        self.pass_once()
        for text in ["", "{", "[]"]:
            (self.root / "cache/vestibule/stage.passed.json").write_text(text)
            self.assertEqual(self.why(), "it has not passed on this machine")

    def test_only_a_stage_that_passed_is_remembered(self):
        said = []
        with (
            mock.patch.dict(runner.os.environ, self.env | {"GITHUB_ACTIONS": ""}),
            mock.patch("builtins.print", lambda *words, **_: said.append(" ".join(words))),
        ):
            for command, preparation in [("false", False), ("true", True), ("true", False), ("false", False)]:
                stage = Stage("stage", [command], inputs=self.inputs, preparation=preparation)
                runner.run_all([stage])
        said = [line for line in said if "run:" in line]
        self.assertEqual(["not run:" in line for line in said], [False, False, False, True])
        self.assertIn("(run: it has not passed on this machine)", said[0])

    def test_the_stage_of_cargo_leptos_watches_files_that_exist(self):
        root = Path(__file__).parent.parent
        self.assertEqual([name for name in runner.LEPTOS.paths if not (root / name).exists()], [])


class Agreement(unittest.TestCase):
    """What has to be written down twice is the same twice."""

    def setUp(self):
        root = Path(__file__).parent.parent
        self.versions = (root / "tools/versions").read_text()
        self.manifest, self.xtask, self.options, self.cargo = (
            tomllib.loads((root / name).read_text())
            for name in ["Cargo.toml", "xtask/Cargo.toml", "Leptos.toml", ".cargo/config.toml"]
        )
        self.sources = {name: (root / name).read_text() for name in ["xtask/src/site.rs", "build.rs"]}

    def test_wasm_bindgen(self):
        pinned = "=" + re.search(r"^WASM_BINDGEN=(.*)$", self.versions, re.MULTILINE)[1]
        self.assertEqual(self.manifest["dependencies"]["wasm-bindgen"]["version"], pinned)
        self.assertEqual(self.xtask["dependencies"]["wasm-bindgen-cli-support"], pinned)

    def test_leptos_options(self):
        build, server = (file["package"]["metadata"]["leptos"] for file in [self.manifest, self.options])
        self.assertEqual(server, {key: build.get(key) for key in server})
        self.assertEqual(self.cargo["env"]["LEPTOS_OUTPUT_NAME"], build["output-name"])
        self.assertIn(f'"{build["output-name"]}"', self.sources["xtask/src/site.rs"])
        self.assertIn(f'"{build["site-pkg-dir"]}"', self.sources["xtask/src/site.rs"])
        self.assertIn(f'"{build["site-root"]}/{build["site-pkg-dir"]}"', self.sources["build.rs"])


if __name__ == "__main__":
    unittest.main()
