"""Tests of mutants.py."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from mutants import FILES, ROOT, SRC, chosen, outcomes, tests


def outcome(summary: str, name: str = "replace f") -> dict:
    return {"scenario": {"Mutant": {"name": name}}, "summary": summary}


class Outcomes(unittest.TestCase):
    def read(self, *found: dict) -> tuple[dict[str, int], str]:
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
            Path(folder, "outcomes.json").write_text(json.dumps({"outcomes": found}))
            counted = outcomes(Path(folder))
        return {name: number for name, number in counted.items() if number}, said.getvalue()

    def test_they_are_counted_and_the_missed_are_named(self) -> None:
        baseline = {"scenario": "Baseline", "summary": "Success"}
        found = [outcome("CaughtMutant"), outcome("Timeout"), outcome("MissedMutant", "replace > with >="), outcome("Unviable")]
        counted, said = self.read(baseline, *found)
        self.assertEqual(counted, {"caught": 2, "missed": 1, "unviable": 1})
        self.assertIn("replace > with >=", said)

    def test_tests_that_fail_without_any_alteration_show_nothing(self) -> None:
        self.assertEqual(self.read({"scenario": "Baseline", "summary": "Failure"})[0], {"error": 1})
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(dict(outcomes(Path(folder))), {"error": 1})


class Choosing(unittest.TestCase):
    def test_tests_of_a_file(self) -> None:
        expected = ["--cargo-arg=--lib", "--cargo-arg=--test=it", "--", "--", "a::", "b::", "--skip", "load::"]
        self.assertEqual(tests([("lib", "a::"), ("it", "b::")]), expected)

    def test_shards_are_all_of_the_files(self) -> None:
        shards = [chosen(["--shard", f"{number}/3"]) for number in (1, 2, 3)]
        self.assertEqual(sorted(file for shard in shards for file in shard), sorted(chosen([])))
        self.assertTrue(all(file.startswith("gate/") for file in chosen(["gate/"])))

    def test_the_files_exist(self) -> None:
        missing = [file for file in FILES if not (ROOT / SRC / file).exists()]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
