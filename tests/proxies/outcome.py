"""What came of a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from application import Seen
from messages import Answer, Request


@dataclass
class Outcome:
    request: Request
    answer: Answer
    # By applications.
    seen: list[Seen]
    complaints: list[str] = field(default_factory=list)


# What is amiss; nothing, if the expectation holds.
Expect = Callable[[Outcome], list[str]]
