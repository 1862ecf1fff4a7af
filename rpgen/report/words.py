"""How figures and names are written in reports for people."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from rpgen.run.results import FileResult, Outcome, RunResult, TestResult

_ORDER = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.ERROR,
    Outcome.CRASHED,
    Outcome.TIMEOUT,
    Outcome.SKIPPED,
)
_PLURAL = {Outcome.ERROR: "errors", Outcome.TIMEOUT: "timeouts"}


def printable(text: str) -> str:
    """`text` without control characters and half characters, which names of files may hold."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def plain(text: str) -> str:
    """As `printable`, and colours are left out: for pages."""
    return printable(_COLOURS.sub("", text) if "\x1b" in text else text)


def _escaped(character: str) -> str:
    return "    " if character == "\t" else ascii(character)[1:-1]


def counted(count: int, noun: str) -> str:
    """ "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(value: float) -> str:
    if value < 10:
        return f"{value:.1f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value // 60:.0f} min {value % 60:02.0f} s"


def megabytes(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def memory(value: float | None) -> str:
    """With its unit: "29 MB", "3.1 GB"."""
    if value is None:
        return "-"
    return f"{value / 1024:.1f} GB" if value >= 10_000 else f"{megabytes(value)} MB"


class Counted(Protocol):
    """A run, a file, or a run of long ago."""

    @property
    def counts(self) -> Counter[Outcome]: ...


def counts(result: Counted) -> str:
    """ "3 passed, 1 failed", the outcomes that occur only."""
    found = result.counts
    return ", ".join(_of_outcome(found[each], each) for each in _ORDER if found[each]) or "no tests"


def flaky(result: RunResult) -> str:
    """ ", 2 flaky"; nothing where none is."""
    count = sum(len(file.flaky) for file in result.files)
    return f", {count} flaky" if count else ""


def attempts(test: TestResult) -> str:
    """ "failed, then passed"."""
    return ", then ".join(str(attempt.outcome) for attempt in test.attempts)


def _of_outcome(count: int, outcome: Outcome) -> str:
    return f"{count} {_PLURAL.get(outcome, outcome) if count > 1 else outcome}"


def shortened(text: str, room: int) -> str:
    """`text` with its middle left out where it is longer than `room`: names differ at the end."""
    if len(text) <= room:
        return text
    head = max(0, room // 3 - 1)
    return f"{text[:head]}…{text[len(text) - (room - head - 1) :]}"


def weights(file: FileResult) -> str:
    """ "pretrained fp32 on cuda:0": with what a result was obtained."""
    what = " ".join(part for part in (file.weights, file.dtype) if part)
    return " on ".join(part for part in (what, file.device) if part)


def remarks(file: FileResult) -> list[str]:
    """What its checks told; first why they were fewer than usual, where nobody asked for that."""
    if file.level != "minimal" or file.level_reason == "asked for":
        return list(file.remarks)
    return [f"checks at the minimal level, {file.level_reason}", *file.remarks]


def levels(result: RunResult) -> str:
    """ "checks at the normal level"; nothing where no file told one."""
    found = Counter(file.level for file in result.files if file.level)
    if len(found) == 1:
        return f"checks at the {next(iter(found))} level"
    told = ", ".join(f"{level} ({count} files)" for level, count in found.most_common())
    return f"checks at several levels: {told}" if told else ""


def requests(pool: Mapping[str, Any]) -> str:
    """ "3 hits, 1 misses (75%)", from the pool's statistics."""
    if pool.get("hits") is None:
        return "-"
    ratio = pool.get("hit_ratio") or 0.0
    return f"{pool['hits']} hits, {pool.get('misses')} misses ({ratio:.0%})"
