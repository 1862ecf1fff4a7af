"""The JUnit report: one suite per file, with device, weights and memory as its properties."""

import datetime
from pathlib import Path
from typing import Any

from rpgen.errors import MissingPackageError, OutputError
from rpgen.report.words import printable
from rpgen.run.results import BAD, Attempt, FileResult, Outcome, RunResult, TestResult


def write(result: RunResult, path: Path) -> None:
    """`OutputError` where that isn't possible."""
    document = build(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        document.write(str(path), pretty=True)
    except OSError as error:
        raise OutputError(
            f"the JUnit report {path} can't be written ({error.strerror}); "
            "give another --junit-xml path"
        ) from error


def build(result: RunResult) -> Any:
    """The whole run as a `junitparser.JUnitXml`."""
    try:
        from junitparser import JUnitXml
    except ImportError as error:
        raise MissingPackageError(
            "a JUnit report needs the package junitparser: pip install junitparser"
        ) from error
    document = JUnitXml("rpgen")
    for file in result.files:
        document.add_testsuite(_suite(file, result))
    document.update_statistics()
    for suite, file in zip(document, result.files, strict=True):
        suite.time = round(file.duration_seconds, 3)  # with its import and its clean-up
    return document


def _suite(file: FileResult, result: RunResult) -> Any:
    from junitparser import TestSuite

    suite = TestSuite(_text(file.path))
    suite.timestamp = _moment(result.started_at)
    for name, value in _properties(file):
        suite.add_property(name, _text(str(value)))
    host = result.host.get("name")
    if host:
        suite.hostname = _text(str(host))
    for test in file.tests:
        suite.add_testcase(_case(test, file))
    return suite


def _properties(file: FileResult) -> list[tuple[str, object]]:
    found = [
        ("model", file.model),
        ("family", file.family),
        ("device", file.device),
        ("dtype", file.dtype),
        ("weights", file.weights),
        ("level", file.level),
        ("degraded", file.degraded),
        ("load_seconds", round(file.load_seconds, 3)),
        ("predicted_mb", _rounded(file.memory.predicted_mb)),
        ("peak_mb", file.memory.peak_mb),
        ("leaked_mb", file.memory.leaked_mb),
        ("message", file.message),
        ("asked", file.asked),
        *((f"backend_{name}", value) for name, value in (file.backend or {}).items()),
    ]
    return [(name, value) for name, value in found if value is not None]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _case(test: TestResult, file: FileResult) -> Any:
    """A crash and a timeout are errors to JUnit; their `type` says which."""
    from junitparser import Error, Failure, Skipped
    from junitparser.xunit2 import TestCase

    classname, name = _names(test, file)
    case = TestCase(_text(name), _text(classname), round(test.duration_seconds, 6))
    if test.attempts:
        _add_attempts(case, test)
    match test.outcome:
        case Outcome.PASSED:
            return case
        case Outcome.SKIPPED:
            case.result = [Skipped(_text(test.message or ""), "skipped")]
            return case
        case Outcome.FAILED:
            cause = Failure(_first_line(test), str(test.outcome))
        case _:
            cause = Error(_first_line(test), str(test.outcome))
    cause.text = _text(test.details or test.message or "")
    case.result = [cause]
    if test.output:
        case.system_out = _text(test.output)
    return case


def _add_attempts(case: Any, test: TestResult) -> None:
    """The bad attempts that did not have the say, as Surefire and Jenkins know them."""
    from junitparser.xunit2 import FlakyError, FlakyFailure, RerunError, RerunFailure

    kinds = (FlakyFailure, FlakyError) if test.outcome not in BAD else (RerunFailure, RerunError)
    if test.flaky:
        case.add_property("flaky", "true")
    telling = (test.outcome, test.message, test.details)
    bad = [attempt for attempt in test.attempts if attempt.outcome in BAD]
    said = [each for each in bad if (each.outcome, each.message, each.details) == telling]
    for attempt in bad:
        if attempt in said[:1]:
            continue
        kind = kinds[attempt.outcome is not Outcome.FAILED]
        made = kind(_first_line(attempt), str(attempt.outcome))
        made.text = _text(attempt.details or attempt.message or "")
        case.add_interim_result(made)


def _first_line(test: TestResult | Attempt) -> str:
    return _text(((test.message or "").splitlines() or [""])[0])


def _moment(seconds: float) -> str:
    """ISO 8601 without a zone, as the format wants it; UTC."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds")


def _names(test: TestResult, file: FileResult) -> tuple[str, str]:
    """As CI systems group them: the file and class with dots, and the test's own name."""
    *above, name = test.id.removeprefix(file.path).removeprefix("::").split("::")
    dotted = file.source.removesuffix(".py").replace("/", ".").strip(".")
    dotted += file.path.removeprefix(file.source)
    return ".".join([dotted, *above]), name or file.path


def _text(text: str) -> str:
    """XML has no way to hold most control characters."""
    return printable(text)
