"""What reports tell of backends: one that measured, one that isn't here, and torch itself."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
from rich.console import Console

from rpgen.report import backends, json_report, junit, markdown
from rpgen.report.console import show_result
from rpgen.report.html.run_page import page
from rpgen.report.timeline import Timeline, timeline
from rpgen.run import events
from rpgen.run.results import RunResult, fold
from tests.unit.report.journals import HOSTILE, VERSIONS, use

NOTHING = {"preparations": 0, "runs": 0} | dict.fromkeys(
    ("difference", "difference_in", "run_seconds")
)
DEVICES = ("cpu", "openvino", "webgpu")

FIGURES: dict[str, Any] = {
    "target": "openvino",
    "computed_by": "OpenVINO 2026.4.1",
    "device": "CPU",
    "precision": "f32",
    "software": False,
    "nodes": {"CPU": 179},
    "preparations": 2,
    "prepare_seconds": 1.5,
    "runs": 9,
    "run_seconds": 0.0123,
    "compared": 4,
    "difference": 1.4e-6,
    "difference_in": "logits",
    "cache": "forward only, no cache: it has none",
    "notes": ["nodes by precision: 63 f32"],
}


def journal(figures: dict[str, Any] = FIGURES, name: str = "t/test_a.py") -> list[events.Event]:
    return list(_journal(figures, name))


def _journal(figures: dict[str, Any], name: str) -> Iterator[events.Event]:
    files = [
        {"path": f"{name} [{d}]", "model": "m", "family": "embedding", "asked": d} for d in DEVICES
    ]
    yield events.RunStarted(
        run="r1", files=tuple(files), host={"name": "here"}, rpgen="0.1", time=1.0
    )
    yield events.WorkerReady(worker=1, versions={**VERSIONS, "pytest": "9"}, time=1.5)
    for device, file in zip(DEVICES, files, strict=True):
        path, skipped = str(file["path"]), device == "webgpu"
        yield events.FileStarted(path=path, worker=1, time=2.0)
        if not skipped:
            found = {**use("embedding:m"), "backend": figures if device == "openvino" else None}
            yield events.PoolUsed(path=path, uses=(found,), time=2.5)
        yield events.TestEnded(
            path=path,
            test=f"{path}::T::test_x",
            outcome="skipped" if skipped else "passed",
            message="webgpu was asked for: no browser" if skipped else None,
            time=3.0,
        )
        yield events.FileEnded(path=path, worker=1, duration_seconds=1.0, time=3.5)
    yield events.RunEnded(time=4.0)


def result(**given: Any) -> RunResult:
    return fold(journal(**given))


def lines(found: RunResult) -> Timeline:
    return timeline(journal())


def test_each_file_on_each_device() -> None:
    matrix = backends.by_device(result())
    assert matrix is not None
    assert matrix.devices == DEVICES
    ((name, files),) = matrix.rows
    assert name == "t/test_a.py"
    assert [backends.cell(file) for file in files] == [
        "1/1",
        "1/1, 1.4e-06 off, 12 ms a run",
        "0/1, expected: medium support",
    ]
    assert backends.cell(None) == "not run"


def test_a_run_on_one_device_has_no_matrix() -> None:
    started = events.RunStarted(
        run="r", files=({"path": "a.py", "model": None, "family": None, "asked": "openvino"},)
    )
    assert backends.by_device(fold([started, events.FileStarted(path="a.py", worker=1)])) is None


def test_what_was_measured_takes_the_place_of_what_is_expected() -> None:
    plain, measured, missing = result().files
    assert backends.told(plain) is None
    assert backends.told(missing) == "not measured; the guide's tables expect: medium support"
    assert (measured.device, missing.device) == ("openvino", None)
    assert backends.told(measured) == (
        "computed by OpenVINO 2026.4.1 on CPU; f32, nodes: 179 on CPU;"
        " at most 1.4e-06 of the spread from torch's result (logits, 4 sizes of inputs);"
        " prepared 2 times in 1.5 s; 9 runs, 12 ms a run;"
        " forward only, no cache: it has none; nodes by precision: 63 f32"
    )


def test_a_backend_that_failed_before_it_computed() -> None:
    nothing = {**FIGURES, **NOTHING}
    measured = result(figures=nothing).files[1]
    assert backends.told(measured) == "openvino computed nothing"
    assert backends.cell(measured) == "1/1, expected: medium support"
    entry = backends.entry(measured)
    assert entry is not None
    assert entry["expectation"] == "medium support"


def test_an_architecture_that_the_guide_names_has_its_own_expectation() -> None:
    measured = result(figures={**FIGURES, **NOTHING}).files[1]
    for model_type, expected in (("vit", "high support"), ("mpnet", "medium support")):
        assert backends.expectation(replace(measured, model_type=model_type)) == expected


def test_what_an_earlier_file_prepared_and_what_is_no_number() -> None:
    later = {**FIGURES, "preparations": 0, "prepare_seconds": 0.0, "difference": None}
    measured = result(figures=later).files[1]
    told = backends.told(measured)
    assert told is not None
    assert "not comparable with torch's result in logits; prepared for an earlier file" in told
    assert backends.cell(measured) == "1/1, not comparable, 12 ms a run"


def test_a_device_of_torchs_own_tells_how_far_it_is_from_the_cpu() -> None:
    events_ = journal()
    told = events.ChecksTold(
        path="t/test_a.py [cpu]", difference=2.5e-7, difference_in="logits", time=2.6
    )
    plain = fold([*events_[:4], told, *events_[4:]]).files[0]
    there = replace(plain, device="cuda:0", dtype="fp32")
    assert backends.cell(there) == "1/1, 2.5e-07 off"
    assert backends.told(there) == (
        "at most 2.5e-07 of the spread from torch's result on the CPU (logits, dtype fp32)"
    )
    entry = backends.entry(there)
    assert entry is not None
    assert (entry["target"], entry["difference"]) == ("cuda:0", 2.5e-7)
    report = json_report.build(replace(result(), files=(there,)))
    jsonschema.validate(report, json.loads(json_report.SCHEMA_FILE.read_text("utf-8")))


def test_all_reports_have_it() -> None:
    found = result()
    report = json_report.build(found)
    jsonschema.validate(report, json.loads(json_report.SCHEMA_FILE.read_text("utf-8")))
    plain, measured, missing = report["files"]
    assert plain["backend"] is None
    assert measured["backend"] == {**FIGURES, "expectation": None}
    assert missing["backend"] == {"target": "webgpu", "expectation": "medium support"}
    assert [file["asked"] for file in report["files"]] == list(DEVICES)
    text = markdown.build(found)
    assert "| file | cpu | openvino | webgpu |" in text
    assert "1.4e-06 off" in text
    suites = {suite.name: suite for suite in junit.build(found)}
    told = {each.name: each.value for each in suites["t/test_a.py [openvino]"].properties()}
    assert told["backend_difference"] == "1.4e-06"
    assert told["asked"] == "openvino"
    case = next(iter(suites["t/test_a.py [openvino]"]))
    assert case.classname == "t.test_a [openvino].T"
    assert "1.4e-06 off" in page(found, lines(found))
    for width in (80, 140):
        out = io.StringIO()
        show_result(found, Console(file=out, width=width))
        assert "1.4e-06 off" in out.getvalue().replace("\n", "")


def test_hostile_words_of_a_backend_stay_text() -> None:
    for text in HOSTILE:
        hostile = {**FIGURES, "computed_by": text, "cache": text, "notes": [text]}
        found = result(figures=hostile, name=text.replace("\n", " "))
        assert "<script>alert(1)" not in page(found, lines(found))
        assert "<script>alert(1)" not in markdown.build(found)
        show_result(found, Console(file=io.StringIO(), width=100))
