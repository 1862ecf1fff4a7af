"""What went wrong in a run, each cause once: what the console, the pages and CI show first."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePath

from rpgen.run.results import BAD, FileResult, RunResult, TestResult

_AS_FOR = re.compile(r" \(as for (.*)\)$")
_OWN_ERROR = re.compile(r"((?:in \S+: )?)rpgen\.errors\.\w+: ")


@dataclass(frozen=True)
class Problem:
    """A bad test of a file; `others` are the ids of tests that had the same set-up."""

    file: FileResult
    test: TestResult
    others: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The cause in short; our own errors say it all without the name of their class."""
        return _OWN_ERROR.sub(r"\1", self.test.message or "", count=1)

    @property
    def says_it_all(self) -> bool:
        """One of rpgen's own errors: its sentence is enough, a traceback adds nothing."""
        return _OWN_ERROR.match(self.test.message or "") is not None

    @property
    def line(self) -> int | None:
        """The line of the test file where it happened; None where the traceback names none."""
        name = re.escape(PurePath(self.file.path).name)
        text = "\n".join(filter(None, (self.test.details, self.test.message)))
        found = re.findall(rf'(?:{name}:(\d+)|{name}", line (\d+))', text)
        lines = [int(short or long) for short, long in found]
        return lines[-1] if lines else None


def problems(result: RunResult) -> tuple[Problem, ...]:
    """Every bad test in the order of the run."""
    return tuple(
        Problem(file, test) for file in result.files for test in file.tests if test.outcome in BAD
    )


def once_a_cause(found: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """A set-up that failed for a whole class is told with its first test, which has the others."""
    others: dict[str, list[str]] = defaultdict(list)
    for problem in found:
        if first := _first(problem.test):
            others[first].append(problem.test.id)
    told = {problem.test.id for problem in found if not _first(problem.test)}
    return tuple(
        Problem(problem.file, problem.test, tuple(others.get(problem.test.id, ())))
        for problem in found
        if _first(problem.test) not in told
    )


def _first(test: TestResult) -> str | None:
    """The test with which this one's cause is told at length."""
    match = _AS_FOR.search(test.message or "")
    return match[1] if match else None
