"""Runs made up for the reports' tests: journals as events."""

from collections.abc import Iterator

from rpgen.run import events

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "'; DROP TABLE runs; --",
    "{{ 7 * 7 }}{% raw %}",
    "a|b`c``` & \x1b[31mred\x00\u202e\udcff",
    "</title></style></svg>]]>",
    "::error file=x::y\n::set-output name=a::b",
    "%0A,:%",
)  # fmt: skip

VERSIONS = {"python": "3", "torch": "2", "transformers": "5"}


def use(
    key: str, *, hit: bool = False, device: str = "cpu", mb: float = 100.0
) -> dict[str, object]:
    return {
        "key": key, "kind": "model", "device": device, "dtype": "fp32", "weights": "tiny",
        "load_seconds": 0.5, "predicted_mb": mb, "measured_mb": mb, "degraded": None, "hit": hit,
    }  # fmt: skip


def small(files: int = 3, device: str = "cpu") -> Iterator[events.Event]:
    """`files` files of one second each, all of them with a model; every third one fails."""
    paths = [f"t/test_{number}.py" for number in range(files)]
    yield events.RunStarted(
        run="r1",
        files=tuple(
            {"path": path, "model": f"m{n}", "family": "vision"} for n, path in enumerate(paths)
        ),
        host={"name": "here"},
        rpgen="0.1",
        time=1000.0,
    )  # fmt: skip
    yield events.WorkerStarted(worker=1, pid=1, time=1000.0)
    yield events.WorkerReady(worker=1, versions=VERSIONS, time=1000.5)
    for number, path in enumerate(paths):
        now = 1001.0 + number
        yield events.FileStarted(path=path, worker=1, time=now)
        key = f"vision:m{number}"
        yield events.ModelLoaded(
            worker=1, key=key, path=path, device=device, dtype="fp32", weights="tiny",
            load_seconds=0.5, predicted_mb=100.0, measured_mb=90.0, time=now + 0.5,
        )  # fmt: skip
        yield events.PoolUsed(path=path, uses=(use(key, device=device),), time=now + 0.5)
        yield events.ChecksTold(
            path=path, level="minimal" if number else "normal", reason=f"by memory: {number} MB",
            remarks=(f"halved for {number}",) if number == 1 else (), time=now + 0.5,
        )  # fmt: skip
        yield events.MemorySample(
            worker=1, used_mb={"cpu": 500.0, device: 500.0 + 90 * number}, time=now + 0.6
        )
        outcome = "failed" if number % 3 == 2 else "passed"
        yield events.TestEnded(
            path=path, test=f"{path}::test_a", outcome=outcome, duration_seconds=0.4,
            message="1 != 2" if outcome == "failed" else None,
            details=f"{path}:7: in test_a\nE   1 != 2" if outcome == "failed" else None,
            time=now + 0.9,
        )  # fmt: skip
        if number:
            yield events.ModelEvicted(
                worker=1, key=f"vision:m{number - 1}", reason="room was needed", device=device,
                measured_mb=90.0, time=now + 0.9,
            )  # fmt: skip
        yield events.FileEnded(
            path=path, worker=1, duration_seconds=1.0, peak_mb=95.0, leaked_mb=1.0, time=now + 1.0
        )
    yield events.RunEnded(time=1001.0 + files)


def hostile() -> Iterator[events.Event]:
    """Everything that comes from outside is hostile text: names, messages, devices, versions."""
    everything = "".join(HOSTILE)
    yield events.RunStarted(
        run=everything,
        files=tuple({"path": f"t/{bad}.py", "model": bad, "family": None} for bad in HOSTILE),
        host={"name": everything, everything: [everything]},
        options={everything: {everything: everything}},
        rpgen=everything,
        time=1000.0,
    )
    yield events.WorkerReady(worker=1, versions={"python": everything, "torch": everything})
    for number, bad in enumerate(HOSTILE):
        path = f"t/{bad}.py"
        yield events.FileStarted(path=path, worker=1, time=1001.0 + number)
        yield events.ModelLoaded(
            worker=1, key=bad, path=path, device=bad, dtype=bad, weights=bad, measured_mb=1.0,
            time=1001.1 + number,
        )  # fmt: skip
        yield events.PoolUsed(path=path, uses=({**use(bad), "device": bad, "degraded": bad},))
        yield events.ChecksTold(path=path, level="normal", reason=bad, remarks=(everything,))
        yield events.MemorySample(worker=1, used_mb={bad: 5.0}, time=1001.2 + number)
        yield events.TestEnded(
            path=path, test=f"{path}::{bad}", outcome="failed", message=everything,
            details=everything, output=everything, time=1001.3 + number,
        )  # fmt: skip
        yield events.TestEnded(
            path=path, test=f"{path}::{bad}2", outcome="skipped", message=everything
        )
        yield events.WorkerDown(
            worker=1, cause="crashed", message=everything, path=path, time=1001.5 + number
        )
        yield events.FileEnded(
            path=path, worker=1, duration_seconds=0.5, left_behind=(everything,),
            time=1001.6 + number,
        )  # fmt: skip
    yield events.RunEnded(stopped=everything, time=1020.0)
