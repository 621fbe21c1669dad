"""Tests of conformance.py."""

from __future__ import annotations

import json
import unittest

from conformance import DOCUMENT, ROWS, Group, Row, Run, document, judge, of_cargo, of_playwright, places, read_groups, read_row

LOG = """
running 3 tests
test flow::a ... ok
test flow::b ... FAILED
test flow::c ... ignored
test flow::panics - should panic ... ok

failures:
    flow::b

test result: FAILED. 1 passed; 1 failed; 1 ignored
test load::d ... thread panicked

ok
test load::e ... some words

FAILED

failures:
    load::e

"""

REPORT = {
    "suites": [
        {
            "specs": [],
            "suites": [
                {
                    "specs": [
                        {"file": "tests/a.spec.ts", "title": "both", "tests": [{"status": "expected"}, {"status": "skipped"}]},
                        {"file": "tests/a.spec.ts", "title": "both", "tests": [{"status": "skipped"}]},
                        {"file": "tests/a.spec.ts", "title": "one", "tests": [{"status": "expected"}, {"status": "unexpected"}]},
                        {"file": "tests/a.spec.ts", "title": "none", "tests": [{"status": "skipped"}]},
                        {"file": "tests/a.spec.ts", "title": "again", "tests": [{"status": "flaky"}]},
                    ]
                }
            ],
        }
    ]
}


def row(*tests: str, **more: object) -> Row:
    return read_row("XX-01", {"level": "M", "needs": "Something.", "tests": list(tests), **more})


class Reading(unittest.TestCase):
    def test_cargo(self) -> None:
        found = of_cargo(LOG)
        passed = {"flow::a", "flow::panics", "load::d"}
        self.assertEqual({name for name, ok in found.items() if ok}, passed)
        self.assertEqual(set(found) - passed, {"flow::b", "flow::c", "load::e"})

    def test_playwright(self) -> None:
        found = of_playwright(json.dumps(REPORT))
        self.assertEqual(
            found, {"a.spec.ts › both": True, "a.spec.ts › one": False, "a.spec.ts › none": False, "a.spec.ts › again": False}
        )

    def test_a_row_says_what_it_may(self) -> None:
        for wrong in ({"level": "X"}, {"tests": ["a"], "not_applicable": "since"}, {"plan": ["Basic"]}, {"plans": ["Golden"]}):
            with self.assertRaises(ValueError):
                read_row("XX-01", {"level": "M", "needs": "Something.", **wrong})


class Judging(unittest.TestCase):
    def judge(self, run: Run, *rows: Row) -> tuple[int, int, int]:
        shown, faults, unknown = judge([Group("X", "Things", rows)], run)
        return shown, len(faults), len(unknown)

    def test_a_test_that_failed_or_is_not_there_is_a_fault(self) -> None:
        run = Run({"rust": {"server::a": True, "server::b": False}})
        self.assertEqual(self.judge(run, row("server::a")), (1, 0, 0))
        self.assertEqual(self.judge(run, row("server::a", "server::b")), (0, 1, 0))
        self.assertEqual(self.judge(run, row("server::renamed")), (0, 1, 0))

    def test_what_did_not_run_is_not_doubted(self) -> None:
        run = Run({"rust": {"server::a": True, "flow::a": True}})
        self.assertEqual(self.judge(run, row("load::a"), row("a.spec.ts › x"), row("flow::a")), (0, 0, 3))
        self.assertEqual(self.judge(Run(), row("server::a")), (0, 0, 1))

    def test_the_whole_program_passes_on_both_stores(self) -> None:
        run = Run({"rust": {"flow::a": True}, "mongodb": {"flow::a": False}})
        self.assertEqual(self.judge(run, row("flow::a")), (0, 1, 0))
        run.stages["mongodb"]["flow::a"] = True
        self.assertEqual(self.judge(run, row("flow::a")), (1, 0, 0))

    def test_a_title_with_parts_needs_all_of_them(self) -> None:
        run = Run({"end2end": {"a.spec.ts › led to x": True, "a.spec.ts › led to y": True}})
        self.assertEqual(self.judge(run, row("a.spec.ts › led to *")), (1, 0, 0))
        run.stages["end2end"]["a.spec.ts › led to y"] = False
        self.assertEqual(self.judge(run, row("a.spec.ts › led to *")), (0, 1, 0))

    def test_a_row_without_a_test_is_a_gap(self) -> None:
        self.assertEqual(self.judge(Run(), row()), (0, 0, 1))
        inapplicable = read_row("XX-02", {"level": "", "needs": "Something.", "not_applicable": "We have none."})
        self.assertEqual(self.judge(Run(), inapplicable), (0, 0, 0))


class Writing(unittest.TestCase):
    def test_the_document_counts_and_names_gaps(self) -> None:
        rows = (row("server::a", plans=["Basic"], module="oidcc-x"), row(), row("flow::a|b", instead="Otherwise."))
        text = document([Group("X", "Things", rows)])
        self.assertIn("| pass | 2 | 0 | 0 | 2 |", text)
        self.assertIn("| gap | 1 | 0 | 0 | 1 |", text)
        self.assertIn("**Basic** (`oidcc-client-basic-certification-test-plan`): 1 of 1 modules.", text)
        self.assertIn("| `oidcc-x` | XX-01 | pass |", text)
        self.assertIn("Something. Instead: Otherwise.", text)
        self.assertIn("`flow::a\\|b`", text)

    def test_where(self) -> None:
        for tests, where in (
            (["server::a", "provider::b"], "U P"),
            (["flow::a"], "S M"),
            (["store::x::y::mongo", "store::x::y::sqlite"], "S M"),
            (["load::a", "a.spec.ts › x"], "S N"),
        ):
            self.assertEqual(places(tests), where)

    def test_the_rows_of_this_project(self) -> None:
        groups = read_groups(ROWS)
        names = [row.id for group in groups for row in group.rows]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(DOCUMENT.read_text(), document(groups), "UPDATE_DOCS=1 tools/test.py conformance")
