"""The order of things in a run, and how much memory was in use when."""

from rpgen.report import levels
from rpgen.report.html import chart
from rpgen.report.levels import Level
from rpgen.report.timeline import Change, Sample, Span, timeline
from rpgen.run import events
from tests.unit.report.journals import small, use


def test_spans_samples_and_changes_with_times_from_the_start() -> None:
    line = timeline(small(2))
    assert line.seconds == 3.0
    assert [(span.path, span.start, span.end) for span in line.spans] == [
        ("t/test_0.py", 1.0, 2.0),
        ("t/test_1.py", 2.0, 3.0),
    ]
    kinds = [change.kind for change in line.changes]
    assert kinds == ["worker started", "loaded", "loaded", "evicted"]
    assert len(line.samples) == 2


def test_a_journal_that_breaks_off_and_one_that_is_empty() -> None:
    cut_off = list(small(2))[:8]
    assert timeline(cut_off).spans[-1].end is not None or len(cut_off) == 8
    started = events.FileStarted(path="a", worker=1, time=5.0)
    (span,) = timeline([started]).spans
    assert (span.start, span.end) == (0.0, None)
    assert timeline([]).spans == ()
    assert chart.charts(timeline([])) == chart.lanes(timeline([]), {}) == ()


def test_a_file_that_takes_the_worker_down_twice_has_two_turns() -> None:
    def turn(now: float) -> list[events.Event]:
        return [
            events.FileStarted(path="a", worker=1, time=now),
            events.WorkerDown(worker=1, cause="crashed", message="x", path="a", time=now + 1),
        ]

    line = timeline([*turn(0.0), *turn(5.0)])
    assert [(span.start, span.end) for span in line.spans] == [(0.0, 1.0), (5.0, 6.0)]


def test_workers_are_added_up_and_one_that_ends_uses_nothing() -> None:
    samples = [
        Sample(0.0, 1, {"cpu": 10.0}),
        Sample(1.0, 2, {"cpu": 5.0}),
        Sample(3.0, 2, {"cpu": 7.0}),
    ]
    down = Change(2.0, "worker down", 1, "worker 1")
    used = levels.used(samples, [down], "cpu")
    assert used == (Level(0.0, 10.0), Level(1.0, 15.0), Level(2.0, 5.0), Level(3.0, 7.0))
    assert levels.used(samples, [down], "cuda:0") == ()
    assert [levels.level_at(used, time) for time in (-1.0, 1.5, 2.0, 99.0)] == [
        10.0, 15.0, 5.0, 7.0
    ]  # fmt: skip


def test_what_the_pools_hold() -> None:
    line = timeline(small(2))
    assert [level.mb for level in levels.held(line.changes, "cpu")] == [90.0, 180.0, 90.0]
    assert levels.held(line.changes, "cuda:0") == ()
    gone = (*line.changes, Change(9.0, "worker down", 1, "worker 1"))
    assert levels.held(gone, "cpu")[-1] == Level(9.0, 0.0)


def test_what_was_already_loaded_is_no_growth() -> None:
    found, loaded = use("a", hit=True, mb=70.0), use("b", mb=30.0)
    span = Span("t.py", 1, 0.0, 1.0, peak_mb=110.0, uses=(found, loaded))
    assert levels.predicted_growth(span, "cpu") == 30.0
    assert levels.measured_growth(span, "cpu") == 40.0
    assert levels.predicted_growth(span, "cuda:0") == 0.0


def test_a_long_night_is_thinned_out_but_its_highest_point_stays() -> None:
    night = [Level(float(second), second % 97) for second in range(57_600)]
    thin = list(levels.thinned(night, 57_600.0, 600))
    assert len(thin) <= 1200
    assert max(level.mb for level in thin) == 96
    assert [level.time for level in thin] == sorted(level.time for level in thin)


def test_a_chart_for_each_device_the_hosts_first() -> None:
    drawn = chart.charts(timeline(small(3, device="cuda:0")))
    assert [each.device for each in drawn] == ["cpu", "cuda:0"]
    host, cuda = drawn
    assert (len(host.predicted), len(cuda.predicted), len(cuda.measured)) == (0, 3, 3)
    assert "At most 680 MB" in cuda.summary
    for block in (*cuda.predicted, *cuda.measured):
        assert 0 <= block.x <= block.x + block.width <= chart.SIDE
        assert 0 <= block.y <= block.y + block.height <= chart.SIDE


def test_round_figures_on_the_axes() -> None:
    assert chart.steps(443, 4) == [0.0, 100.0, 200.0, 300.0, 400.0]
    assert chart.steps(0.3, 4) == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    assert chart.steps(0, 4) == [0.0]
    for seconds in (0.0, 0.05, 3.0, 59.0, 700.0, 30_000.0, 400_000.0):
        ticks = chart.time_ticks(seconds)
        assert 1 <= len(ticks) <= 6
        assert ticks[0].text == "0"
        assert all(0 <= tick.percent <= 100.0001 for tick in ticks)
    assert [tick.text for tick in chart.time_ticks(700.0)] == ["0", "5 min", "10 min"]


def test_a_worker_takes_over_the_place_and_the_memory_of_the_one_before() -> None:
    def turn(worker: int, now: float) -> list[events.Event]:
        path = f"{worker}.py"
        return [
            events.WorkerStarted(worker=worker, pid=1, slot=0, time=now),
            events.FileStarted(path=path, worker=worker, time=now + 0.1),
            events.MemorySample(worker=worker, used_mb={"cpu": 100.0}, time=now + 0.2),
            events.FileEnded(path=path, worker=worker, duration_seconds=0.1, time=now + 0.3),
        ]

    line = timeline([event for worker in range(1, 9) for event in turn(worker, float(worker))])
    used = levels.used(line.samples, line.changes, "cpu")
    assert max(level.mb for level in used) == 100.0
    (lane,) = chart.lanes(line, {})
    assert (lane.name, len(lane.blocks)) == ("worker 1", 8)


def test_the_time_between_a_run_and_its_resumption_does_not_count() -> None:
    line = timeline(
        [
            events.WorkerStarted(worker=1, pid=1, time=0.0),
            events.MemorySample(worker=1, used_mb={"cpu": 50.0}, time=1.0),
            events.FileStarted(path="a", worker=1, time=2.0),
            events.RunResumed(time=90_000.0),
            events.WorkerStarted(worker=2, pid=2, time=90_001.0),
            events.FileStarted(path="a", worker=2, time=90_002.0),
            events.FileEnded(path="a", worker=2, duration_seconds=1.0, time=90_003.0),
        ]
    )
    assert line.seconds == 5.0
    assert [(span.start, span.end) for span in line.spans] == [(2.0, 2.0), (4.0, 5.0)]
    assert levels.used(line.samples, line.changes, "cpu")[-1] == Level(2.0, 0.0)


def test_a_worker_that_is_lost_has_a_mark() -> None:
    line = timeline(
        [
            events.WorkerStarted(worker=1, pid=1, slot=3, where="there, cuda:1", time=0.0),
            events.FileStarted(path="a", worker=1, time=1.0),
            events.WorkerLost(worker=1, message="gone", path="a", time=2.0),
        ]
    )
    (lane,) = chart.lanes(line, {})
    assert (lane.name, [mark.kind for mark in lane.marks]) == ("there, cuda:1", ["worker lost"])
