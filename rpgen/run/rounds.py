"""How often a test runs: each of `--repeat` rounds, and in a round again while it goes wrong.

    repeat 2, reruns 1, a test that fails now and then:
    round 1: attempt 1 failed, attempt 2 passed      round 2: attempt 1 passed      done

All tests of a file run in the first attempt of a round before any is tried again, so that
fixtures of a class are made anew for each: a set-up that failed gets another chance too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rpgen.run.outcomes import BAD, TestResult


class Turn(NamedTuple):
    round: int = 1
    attempt: int = 1


@dataclass(frozen=True)
class Ran:
    """The last turn of a test, and whether it went wrong."""

    turn: Turn
    bad: bool


@dataclass(frozen=True)
class Rounds:
    """`repeat` rounds of at most 1 + `reruns` attempts each."""

    repeat: int = 1
    reruns: int = 0

    def following(self, ran: Ran | None) -> Turn | None:
        """The turn that comes next; None where the test is done."""
        if ran is None:
            return Turn()
        if ran.bad and ran.turn.attempt <= self.reruns:
            return Turn(ran.turn.round, ran.turn.attempt + 1)
        if ran.turn.round < self.repeat:
            return Turn(ran.turn.round + 1, 1)
        return None

    def batch(
        self, tests: Iterable[str], ran: Mapping[str, Ran]
    ) -> tuple[Turn, tuple[str, ...]] | None:
        """The tests whose turn is the earliest, in their order; None where all are done."""
        turns = {test: turn for test in tests if (turn := self.following(ran.get(test)))}
        if not turns:
            return None
        earliest = min(turns.values())
        return earliest, tuple(test for test, turn in turns.items() if turn == earliest)


def last_turn(test: TestResult) -> Ran:
    """From what the journal says of a test."""
    if not test.attempts:
        return Ran(Turn(), test.outcome in BAD)
    last = test.attempts[-1]
    return Ran(Turn(last.round, last.attempt), last.outcome in BAD)
