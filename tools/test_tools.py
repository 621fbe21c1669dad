"""Tests of the counting in tools/test.py, and of versions that must agree."""

import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import test as runner
from test import Count, Stage, count_cargo, count_playwright, count_unittest, outcome

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

    def test_a_stage_that_hangs_is_stopped(self):
        with mock.patch.object(runner, "STAGE_SECONDS", 0.2):
            self.assertEqual(runner.run(Stage("hangs", ["sleep", "60"]))[0], 124)

    def test_the_line(self):
        self.assertEqual(str(Count(3, 2, 1)), "3 passed, 2 failed, 1 skipped")


class Versions(unittest.TestCase):
    def test_wasm_bindgen_is_the_same_everywhere(self):
        root = Path(__file__).parent.parent
        pinned = re.search(r"^WASM_BINDGEN=(.*)$", (root / "tools/versions").read_text(), re.MULTILINE)[1]
        for manifest in ["Cargo.toml", "xtask/Cargo.toml"]:
            found = re.findall(r'^wasm-bindgen(?:-cli-support)? = .*"=([\d.]+)"', (root / manifest).read_text(), re.MULTILINE)
            self.assertEqual(found, [pinned], manifest)


if __name__ == "__main__":
    unittest.main()
