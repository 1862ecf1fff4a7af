"""The summary of a run in Markdown, for the page that a CI system shows, and its annotations.

Names and messages come from anywhere: in tables they are escaped as HTML, which Markdown lets
through, and tracebacks get a fence longer than any in them.
"""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from rpgen.report import backends, words
from rpgen.report.problems import Problem, once_a_cause, problems
from rpgen.run.results import BAD, FileResult, Outcome, RunResult

SUMMARY_LIMIT = 1_000_000  # bytes; GitHub takes 1 MiB per step and refuses more
ANNOTATIONS = 10  # errors per step that GitHub shows
_DETAILS_LINES = 60
_SHOWN_FILES = 200
_SYMBOLS = {
    Outcome.PASSED: "✅",
    Outcome.SKIPPED: "⏭️",
    Outcome.FAILED: "❌",
    Outcome.ERROR: "❗",
    Outcome.TIMEOUT: "⏰",
    Outcome.CRASHED: "💥",
}


def build(result: RunResult, limit: int = SUMMARY_LIMIT) -> str:
    """The whole summary in at most `limit` bytes; what did not get in is counted.

    Empty where not even the table gets in: too long a summary would cost those before it.
    """
    parts = list(_top(result))
    size = sum(_size(part) for part in parts)
    if size > limit:
        return ""
    found = once_a_cause(problems(result))
    for number, problem in enumerate(found):
        part = _problem(problem)
        if size + _size(part) > limit - 200:
            parts.append(f"\n{len(found) - number} more problems are in the run's other reports.\n")
            break
        parts.append(part)
        size += _size(part)
    return "".join(parts)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _top(result: RunResult) -> Iterator[str]:
    counts = result.counts
    bad = any(counts[outcome] for outcome in BAD)
    spent = f", {words.seconds(result.ended_at - result.started_at)}" if result.ended_at else ""
    files = words.counted(len(result.files), "file")
    symbol = _SYMBOLS[Outcome.FAILED if bad else Outcome.PASSED]
    yield f"## {symbol} rpgen: {words.counts(result)}{words.flaky(result)} in {files}{spent}\n\n"
    known = [f"{name} {_text(str(value))}" for name, value in result.versions.items() if value]
    where = f"on {_text(str(result.host['name']))}, " if result.host.get("name") else ""
    if known:
        yield f"{where}{', '.join(known)}\n\n"
    if levels := words.levels(result):
        yield f"{levels}\n\n"
    if result.stopped:
        yield f"> {_text(result.stopped)}\n\n"
    if result.files:
        yield from _table(result.files)
    yield from _backends(result)
    for test in [test for file in result.files for test in file.flaky][:_SHOWN_FILES]:
        yield f"\n- flaky: <code>{_text(test.id)}</code> {words.attempts(test)}\n"
    for file in [file for file in result.files if words.remarks(file)][:_SHOWN_FILES]:
        yield f"\n- <code>{_text(file.path)}</code>: {_text('; '.join(words.remarks(file)))}\n"
    if result.not_run:
        yield f"\n{len(result.not_run)} files were not run.\n"


def _table(files: Sequence[FileResult]) -> Iterator[str]:
    yield "| | file | model | passed | with | time | MB predicted | measured | left |\n"
    yield "|---|---|---|---:|---|---:|---:|---:|---:|\n"
    ranks = list(Outcome)
    worst_first = sorted(files, key=lambda file: -ranks.index(file.outcome) * (file.outcome in BAD))
    for file in worst_first[:_SHOWN_FILES]:
        memory = file.memory
        cells = [
            f"{_SYMBOLS[file.outcome]} {file.outcome}",
            f"<code>{_text(file.path)}</code>",
            _text(file.model or ""),
            f"{file.counts[Outcome.PASSED]}/{len(file.tests)}",
            _text(words.weights(file)),
            words.seconds(file.duration_seconds),
            *(words.megabytes(size) for size in (memory.predicted_mb, memory.peak_mb)),
            words.megabytes(memory.leaked_mb),
        ]
        yield f"| {' | '.join(cells)} |\n"
    if len(files) > _SHOWN_FILES:
        yield f"\nand {len(files) - _SHOWN_FILES} more files\n"


def _backends(result: RunResult) -> Iterator[str]:
    """Each file on each device, and what computed where torch did not."""
    matrix = backends.by_device(result)
    if matrix is not None:
        yield f"\n| file | {' | '.join(map(_text, matrix.devices))} |\n"
        yield f"|---|{'---|' * len(matrix.devices)}\n"
        for name, files in matrix.rows[:_SHOWN_FILES]:
            cells = (
                f"{_SYMBOLS[file.outcome]} {_text(backends.cell(file))}" if file else "-"
                for file in files
            )
            yield f"| <code>{_text(name)}</code> | {' | '.join(cells)} |\n"
    for file in result.files[:_SHOWN_FILES]:
        if sentence := backends.told(file):
            yield f"\n- <code>{_text(file.path)}</code>: {_text(sentence)}\n"


def _problem(problem: Problem) -> str:
    test = problem.test
    head = f"{_SYMBOLS[test.outcome]} <b>{test.outcome}</b> <code>{_text(test.id)}</code>"
    more = f" and {len(problem.others)} more" if problem.others else ""
    lines = words.plain(test.details or problem.message).splitlines()
    if len(lines) > _DETAILS_LINES:
        left_out = len(lines) - _DETAILS_LINES
        lines = [f"[... {left_out} lines ...]", *lines[-_DETAILS_LINES:]]
    text = "\n".join(line[:1000] for line in lines)
    first = _text((problem.message.strip().splitlines() or [""])[0][:300])
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    body = f"{first}\n\n{fence}text\n{text}\n{fence}"
    return f"\n<details><summary>{head}{more}</summary>\n\n{body}\n\n</details>\n"


def _text(text: str) -> str:
    """One line that means nothing to Markdown and nothing to HTML."""
    flat = html.escape(" ".join(words.plain(text).split()), quote=False)
    return re.sub(r"[\\`*\[\]|~@]|\b_|_\b|(?<!&)#", lambda found: f"&#{ord(found[0])};", flat)


def annotations(result: RunResult, folder: Path, workspace: Path | None = None) -> Iterator[str]:
    """GitHub's workflow commands: an error at each place where something went wrong.

    `folder` is where the run's relative paths begin; GitHub wants them from `workspace`.
    """
    found = once_a_cause(problems(result))
    shown = found if len(found) <= ANNOTATIONS else found[: ANNOTATIONS - 1]
    for problem in shown:
        place = {"file": _from_workspace(problem.file.source, folder, workspace)}
        if problem.line is not None:
            place["line"] = str(problem.line)
        name = problem.test.id.removeprefix(problem.file.path).removeprefix("::")
        place["title"] = f"{problem.test.outcome}: {name or problem.file.path}"
        where = ",".join(f"{key}={_property(words.plain(value))}" for key, value in place.items())
        message = words.plain(problem.message or str(problem.test.outcome))[:4000]
        yield f"::error {where}::{_message(message)}"
    if len(found) > len(shown):
        yield f"::error title=rpgen::{len(found) - len(shown)} more problems are in the summary"


def _from_workspace(path: str, folder: Path, workspace: Path | None) -> str:
    whole = folder / path
    if workspace is not None and whole.is_relative_to(workspace):
        return PurePosixPath(whole.relative_to(workspace)).as_posix()
    return path


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
