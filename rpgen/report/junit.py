"""The JUnit report: one suite per file, with device, weights and memory as its properties."""

from pathlib import Path
from typing import Any

from rpgen.errors import MissingPackageError, OutputError
from rpgen.report.words import printable
from rpgen.run.results import FileResult, Outcome, RunResult, TestResult


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
    return document


def _suite(file: FileResult, result: RunResult) -> Any:
    from junitparser import TestSuite

    suite = TestSuite(_text(file.path))
    for name, value in _properties(file):
        suite.add_property(name, _text(str(value)))
    host = result.host.get("name")
    if host:
        suite.hostname = _text(str(host))
    for test in file.tests:
        suite.add_testcase(_case(test, file))
    suite.time = round(file.duration_seconds, 3)
    return suite


def _properties(file: FileResult) -> list[tuple[str, object]]:
    found = [
        ("model", file.model),
        ("family", file.family),
        ("device", file.device),
        ("dtype", file.dtype),
        ("weights", file.weights),
        ("degraded", file.degraded),
        ("load_seconds", round(file.load_seconds, 3)),
        ("predicted_mb", file.memory.predicted_mb),
        ("peak_mb", file.memory.peak_mb),
        ("leaked_mb", file.memory.leaked_mb),
        ("message", file.message),
    ]
    return [(name, value) for name, value in found if value is not None]


def _case(test: TestResult, file: FileResult) -> Any:
    """A crash and a timeout are errors to JUnit; their `type` says which."""
    from junitparser import Error, Failure, Skipped, TestCase

    classname, name = _names(test, file)
    case = TestCase(_text(name), _text(classname), round(test.duration_seconds, 6))
    lines = (test.message or "").splitlines() or [""]
    match test.outcome:
        case Outcome.PASSED:
            return case
        case Outcome.SKIPPED:
            case.result = [Skipped(_text(test.message or ""), "skipped")]
            return case
        case Outcome.FAILED:
            cause = Failure(_text(lines[0]), str(test.outcome))
        case _:
            cause = Error(_text(lines[0]), str(test.outcome))
    cause.text = _text(test.details or test.message or "")
    case.result = [cause]
    if test.output:
        case.system_out = _text(test.output)
    return case


def _names(test: TestResult, file: FileResult) -> tuple[str, str]:
    """As CI systems group them: the file and class with dots, and the test's own name."""
    *above, name = test.id.removeprefix(file.path).removeprefix("::").split("::")
    dotted = file.path.removesuffix(".py").replace("/", ".").strip(".")
    return ".".join([dotted, *above]), name or file.path


def _text(text: str) -> str:
    """XML has no way to hold most control characters."""
    return printable(text)
