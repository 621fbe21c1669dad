"""Runs the snippets of docs/assertion.md, each in its language, on assertions that are valid and that are not.

    tests/assertion [LANGUAGE...]    all, or these alone

The last line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

# The programs are started as those tests start theirs.
sys.path.append(str(Path(__file__).resolve().parents[1] / "proxies"))

from cases import cases
from languages import LANGUAGES, Language
from running import Running, claims, running


def judged(language: Language, program: Running) -> tuple[int, list[str]]:
    """How many assertions the language's snippet judges rightly, and which not."""
    try:
        language.make(program.issuer, program.audience)
        # Made afterwards: it does not outlive a long build.
        real = program.assertion()
        all_cases = cases(real, program.secret)
        said = language.judge([case.assertion for case in all_cases])
    except RuntimeError as error:
        return 0, [f"FAILED {error}"]
    person = claims(real)["sub"]
    wrong = [
        f"FAILED {language.name}: {case.what}: {answer}"
        for case, answer in zip(all_cases, said)
        if (answer.get("sub") == person) != case.is_valid or ("refused" in answer) == case.is_valid
    ]
    return len(all_cases) - len(wrong), wrong


def main(names: list[str]) -> int:
    chosen = [language for language in LANGUAGES if not names or language.name in names]
    there = [language for language in chosen if not language.missing()]
    for language in chosen:
        if language not in there:
            print(f"skipped: {language.name}: {' and '.join(language.missing())} not found")
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="vestibule-assertion-") as folder, running(Path(folder)) as program:
        for language in there:
            right, wrong = judged(language, program)
            passed, failed = passed + right, failed + len(wrong)
            print("\n".join(wrong or [f"{language.name}: {right} assertions"]))
    print(f"{passed} passed, {failed} failed, {len(chosen) - len(there)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
