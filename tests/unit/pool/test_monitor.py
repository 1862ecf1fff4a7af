"""The monitor: what it records, when it cleans, that it ends, and what it costs."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rpgen.hardware.process_memory import ProcessMemory
from rpgen.pool.monitor import IDLE_MINUTES_UNDER_PRESSURE, Monitor
from rpgen.pool.pool import ResourcePool

LIMIT = 20.0


class Machine:
    """Readings one after another, and a switch for pressure."""

    def __init__(self, *readings: ProcessMemory | None) -> None:
        self.readings = list(readings)
        self.pressed = False
        self.taken: dict[str, float] = {}
        self.cleaned: list[float] = []

    def read(self) -> ProcessMemory | None:
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]

    def clean(self, minutes: float) -> int:
        self.cleaned.append(minutes)
        return 2

    def monitor(self) -> Monitor:
        return Monitor(self.clean, lambda: self.pressed, lambda: self.taken, self.read)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_highest_of_each_is_kept_until_it_is_reset() -> None:
    machine = Machine(ProcessMemory(100, 50), ProcessMemory(300, 40), ProcessMemory(90, 70))
    monitor = machine.monitor()
    for _ in range(3):
        monitor.sample()
    peaks = monitor.peaks()
    assert (peaks.own_mb, peaks.mapped_mb, peaks.samples) == (300, 70, 4)
    monitor.reset_peaks()
    assert (monitor.peaks().own_mb, monitor.peaks().mapped_mb) == (90, 70)


def test_devices_by_what_their_drivers_say() -> None:
    machine = Machine(ProcessMemory(1, 1))
    monitor = machine.monitor()
    for taken in ({"cuda:0": 500.0}, {"cuda:0": 900.0, "cuda:1": 10.0}, {"cuda:0": 100.0}):
        machine.taken = taken
        monitor.look()
    assert monitor.peaks().devices == {"cuda:0": 900.0, "cuda:1": 10.0}


def test_a_process_that_cannot_be_read_has_no_peaks() -> None:
    peaks = Machine(None).monitor().peaks()
    assert (peaks.own_mb, peaks.mapped_mb) == (None, None)


def test_pressure_is_said_once_and_cleans_until_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(ProcessMemory(1, 1))
    monitor = machine.monitor()
    with caplog.at_level(logging.INFO, "rpgen.pool"):
        monitor.look()
        assert not machine.cleaned
        machine.pressed = True
        monitor.look()
        monitor.look()
        machine.pressed = False
        monitor.look()
    assert machine.cleaned == [IDLE_MINUTES_UNDER_PRESSURE] * 2
    assert monitor.cleaned == 4
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_it_starts_once_and_stops_cleanly_and_starts_again() -> None:
    monitor = Machine(ProcessMemory(1, 1)).monitor()
    before = threading.active_count()
    monitor.start(0.001)
    monitor.start(0.001)
    assert monitor.on
    assert threading.active_count() == before + 1
    until(lambda: monitor.peaks().samples > 20)
    monitor.stop()
    monitor.stop()
    assert not monitor.on
    assert threading.active_count() == before
    with monitor.running(0.001):
        assert monitor.on
    assert not monitor.on


def test_a_look_that_fails_is_in_the_log_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(ProcessMemory(1, 1))
    monkeypatch.setattr("rpgen.pool.monitor.LOOK_SECONDS", 0.001)
    monitor = Monitor(machine.clean, lambda: 1 / 0 > 1, dict, machine.read)
    with monitor.running(0.001):
        until(lambda: len(caplog.records) > 1)
    assert "could not look" in caplog.records[0].message


def test_the_pools_monitor_lets_idle_entries_go(world: Any) -> None:
    pool: ResourcePool = world.pool()
    pool.get_resource("thing", None, lambda: object())
    world.host_mb = 1000.0
    world.taken["cpu"] = 900.0
    world.now += 120
    pool.monitor.look()
    assert not pool.resources
    assert pool.low_memory_mode
    with pool.monitor.running():
        assert pool.monitor.on
    world.taken["cpu"] = 0.0


def test_what_is_in_use_stays_whatever_the_pressure(world: Any) -> None:
    pool: ResourcePool = world.pool()
    world.host_mb, world.taken["cpu"] = 1000.0, 900.0
    with pool.owner("file"):
        kept = pool.get_resource("thing", None, lambda: object())
        world.now += 120
        pool.monitor.look()
        assert pool.resources["thing"] is kept
    world.taken["cpu"] = 0.0


def test_it_costs_less_than_a_hundredth_of_a_core() -> None:
    pool = ResourcePool()
    started = time.monotonic()
    with pool.monitor.running():
        time.sleep(2.5)  # a look at the machine is in it
    assert pool.monitor.cpu_seconds < 0.01 * (time.monotonic() - started)
