"""From pytest's reports on one test (set-up, call, clean-up, subtests) to one outcome.

Takes any object with the attributes of pytest's `TestReport`; what is long is shortened here,
before it enters the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rpgen.run.results import Outcome

MESSAGE_LIMIT = 2_000
DETAILS_LIMIT = 20_000
OUTPUT_LIMIT = 8_000


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    message: str | None = None
    details: str | None = None
    phase: str = "call"


def judge(reports: Sequence[Any]) -> Verdict:
    """The verdict on a test, from all its reports in the order they came."""
    bad = [report for report in reports if report.failed]
    if bad:
        return _bad(bad)
    skipped = [report for report in reports if report.skipped and not _is_subtest(report)]
    if skipped:
        return Verdict(Outcome.SKIPPED, shorten(_reason(skipped[0]), MESSAGE_LIMIT))
    if not any(report.when == "call" and not _is_subtest(report) for report in reports):
        return Verdict(Outcome.ERROR, "the test did not come to its end")
    return Verdict(Outcome.PASSED)


def _bad(bad: Sequence[Any]) -> Verdict:
    """Failed in the call is failed, and everything else an error.

    Where subtests failed, they are the cause; pytest's own report then only counts them.
    """
    subtests = [report for report in bad if _is_subtest(report)]
    causes = subtests or list(bad)
    causes += [report for report in bad if subtests and report.when != "call"]
    messages = [_described(report) for report in causes]
    called = any(report.when == "call" for report in bad)
    return Verdict(
        Outcome.FAILED if called else Outcome.ERROR,
        shorten("\n".join(messages), MESSAGE_LIMIT),
        shorten("\n\n".join(_text(report) for report in causes), DETAILS_LIMIT),
        causes[0].when,
    )


def _described(report: Any) -> str:
    """The cause in short, with where it happened unless that was the test itself."""
    message = crash_message(report)
    if _is_subtest(report):
        return f"{report._sub_test_description()} {message}"
    return message if report.when == "call" else f"in {_PHASES[report.when]}: {message}"


_PHASES = {"setup": "set-up", "teardown": "clean-up", "call": "the test"}


def crash_message(report: Any) -> str:
    """What the exception says, or the line of pytest's text that does."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    lines = [line for line in str(report.longreprtext).splitlines() if line.strip()]
    telling = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")]
    return (telling or lines or ["failed without a message"])[-1 if not telling else 0].strip()


def _text(report: Any) -> str:
    logs = [text for title, text in report.sections if "log" in title and text.strip()]
    return "\n".join([str(report.longreprtext), *(f"log:\n{text}" for text in logs)])


def _reason(report: Any) -> str:
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        reason = str(expected).removeprefix("reason: ")
        return f"expected failure: {reason}" if reason else "expected failure"
    return skip_reason(report.longrepr)


def skip_reason(longrepr: Any) -> str:
    """pytest writes a skip as (file, line, "Skipped: why")."""
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped: ").removeprefix("Skipped").strip() or "skipped"


def _is_subtest(report: Any) -> bool:
    return hasattr(report, "_sub_test_description")


def shorten(text: str, limit: int) -> str:
    """`text`, or its beginning and its end with what was left out between them counted."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    left_out = len(text) - head - tail
    return f"{text[:head]}\n[... {left_out} characters left out ...]\n{text[-tail:]}"
