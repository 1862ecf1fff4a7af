"""Events as lines: every kind comes back as it was, and torn lines harm nothing."""

import dataclasses
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.errors import OutputError
from rpgen.run import events
from rpgen.run.journal import Journal, Tail, parse, read

EXAMPLES: dict[type[events.Event], events.Event] = {
    type(event): event
    for event in (
        events.RunStarted(run="r", files=({"path": "a", "model": None, "family": None},)),
        events.WorkerStarted(worker=1, pid=42),
        events.WorkerReady(worker=1, versions={"torch": None}),
        events.WorkerRefused(worker=1, message="no"),
        events.FileStarted(path="a", worker=1),
        events.Collected(path="a", tests=("a::b",)),
        events.TestStarted(path="a", test="a::b", output_from=7),
        events.TestEnded(path="a", test="a::b", outcome="failed", message="é\n\udcff", output="x"),
        events.PoolUsed(path="a", uses=({"key": "k", "device": "cpu"},)),
        events.ChecksTold(path="a", level="normal", reason="why", remarks=("halved",)),
        events.ModelLoaded(worker=1, key="k", path="a", device="cpu", measured_mb=1.0),
        events.ModelEvicted(worker=1, key="k", reason="idle for too long"),
        events.MemorySample(worker=1, used_mb={"cpu": 400.0}),
        events.FileEnded(path="a", worker=1, duration_seconds=1.5, left_behind=("thread t",)),
        events.WorkerDown(worker=1, cause="crashed", message="m", path="a", test=None),
        events.WorkerLost(worker=1, path="a", message="m"),
        events.RunAsked(run="r", folder="/f", options={"paths": ["."]}),
        events.RunResumed(rpgen="1"),
        events.WorkerSpent(worker=1, path="a", message="m"),
        events.Quarantined(path="a", tests=("a::c",), message="m"),
        events.RunStopping(reason="why", interrupted=True),
        events.RunEnded(stopped="why", interrupted=True),
    )
}


def test_there_is_an_example_of_every_kind() -> None:
    assert set(EXAMPLES) == set(events.KINDS.values())


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.kind)
def test_an_event_comes_back_as_it_was(event: events.Event, tmp_path: Path) -> None:
    Journal(tmp_path / "j").append(event)
    assert list(read(tmp_path / "j")) == [event]


@given(st.text())
def test_any_text_survives(text: str) -> None:
    event = events.TestEnded(path=text, test=text, outcome="failed", message=text)
    assert parse(json.dumps(events.to_dict(event)).encode()) == event


@given(st.binary())
def test_no_line_is_too_broken_to_be_skipped(line: bytes) -> None:
    assert parse(line) is None or isinstance(parse(line), events.Event)


def test_events_and_fields_of_a_later_version_are_skipped() -> None:
    assert parse(b'{"event": "from_the_future", "time": 1}') is None
    assert parse(b'{"event": "file_started", "path": "a"}') is None  # without its worker
    line = json.dumps({**events.to_dict(EXAMPLES[events.RunEnded]), "mood": "good"}).encode()
    assert parse(line) == EXAMPLES[events.RunEnded]


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append(EXAMPLES[events.FileStarted])
    with path.open("ab") as file:
        file.write(b'{"event": "test_ended", "path": "a", "te')
    journal.mend()
    journal.mend()
    journal.append(EXAMPLES[events.WorkerDown])
    assert list(read(path)) == [EXAMPLES[events.FileStarted], EXAMPLES[events.WorkerDown]]


def test_a_tail_gives_each_event_once_and_waits_for_the_rest_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    tail = Tail(path)
    assert tail.read() == []
    line = json.dumps(events.to_dict(EXAMPLES[events.FileStarted])).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, line[:10])
    assert tail.read() == []
    os.write(descriptor, line[10:])
    os.close(descriptor)
    assert tail.read() == [EXAMPLES[events.FileStarted]]
    journal.append(EXAMPLES[events.RunEnded])
    assert tail.read() == [EXAMPLES[events.RunEnded]]
    assert tail.read() == []
    tail.close()


def test_writers_side_by_side_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "j"

    def write(number: int) -> None:
        journal = Journal(path)
        for _ in range(50):
            journal.append(events.Collected(path=str(number), tests=("t" * 5000,)))
        journal.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(read(path))) == 200


def test_a_journal_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="RPGEN_STATE_DIR"):
        Journal(tmp_path / "no" / "folder")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OutputError, match="make room"):
        Journal(full).append(EXAMPLES[events.RunEnded])


def test_events_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLES[events.RunEnded].time = 0.0  # type: ignore[misc]
