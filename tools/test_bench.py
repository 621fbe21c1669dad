"""Tests of how what a check costs is judged."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import instructions
from side_by_side import Asked, Row


class SideBySide(unittest.TestCase):
    def row(self, *checks: Asked) -> Row:
        return Row("a check", [Asked(100, 2.0)] * len(checks), list(checks))

    def test_throughput_is_the_median_of_the_rounds(self):
        self.assertTrue(self.row(Asked(80, 2), Asked(90, 2), Asked(10, 2)).is_good())
        self.assertFalse(self.row(Asked(79, 2), Asked(90, 2), Asked(10, 2)).is_good())

    def test_a_check_that_is_slow_at_times_is_beyond_the_bounds(self):
        self.assertTrue(self.row(Asked(100, 4.0)).is_good())
        self.assertFalse(self.row(Asked(100, 4.1)).is_good())

    def test_what_is_measured_is_a_line_of_the_table(self):
        self.assertEqual(str(self.row(Asked(80, 3))), "| a check | 100 | 2.00 ms | 80 | 3.00 ms | 0.80 | 1.50 |")


class Instructions(unittest.TestCase):
    def test_more_than_a_little_more_is_wrong(self):
        self.assertIsNone(instructions.verdict(1_029, 1_000))
        self.assertIn("more", instructions.verdict(1_110, 1_000))

    def test_what_was_gained_is_to_be_kept(self):
        self.assertIsNone(instructions.verdict(971, 1_000))
        self.assertIn("keep it", instructions.verdict(890, 1_000))


if __name__ == "__main__":
    unittest.main()
