"""What a file needed and left: the sums, on readings made by hand."""

from dataclasses import replace
from pathlib import Path

from rpgen.pool.monitor import Peaks
from rpgen.run.measure import (
    Host,
    Reading,
    device_of,
    held_mb,
    leaked_mb,
    needed_mb,
    parse_status,
    read_memory,
    start_measuring,
)

BEFORE = Reading({"cpu": 100.0, "cuda:0": 50.0}, {"cpu": 100.0, "cuda:0": 50.0})


def test_what_a_file_needed_includes_the_models_it_found_loaded() -> None:
    after = Reading({"cpu": 150.0}, {"cpu": 300.0})
    assert needed_mb(BEFORE, after, []) == 200.0
    found = [{"device": "cpu", "measured_mb": 40.0, "hit": True}]
    loaded = [{"device": "cpu", "measured_mb": 40.0, "hit": False}]
    assert needed_mb(BEFORE, after, found) == 240.0
    assert needed_mb(BEFORE, after, loaded) == 200.0
    assert needed_mb(BEFORE, after, [{**loaded[0], "mapped_mb": 30.0}]) == 230.0
    assert needed_mb(BEFORE, after, [{**found[0], "mapped_mb": 30.0}]) == 240.0


def test_the_device_is_that_of_the_first_model() -> None:
    after = Reading({"cpu": 900.0, "cuda:0": 60.0}, {"cpu": 900.0, "cuda:0": 80.0})
    assert needed_mb(BEFORE, after, [{"device": "cuda", "hit": False}]) == 30.0
    assert device_of([]) == "cpu"
    assert device_of([{"device": None}, {"device": "cuda:1"}]) == "cpu"


def test_a_device_that_was_opened_during_the_file_began_empty() -> None:
    after = Reading({"xpu:0": 5.0}, {"xpu:0": 7.0})
    assert needed_mb(BEFORE, after, [{"device": "xpu:0"}]) == 7.0


def test_what_cannot_be_read_is_unknown() -> None:
    nothing = Reading({}, {})
    assert needed_mb(nothing, nothing, []) is None
    assert needed_mb(BEFORE, Reading({}, {}), [{"device": "mps"}]) is None
    assert leaked_mb(BEFORE, nothing, {}, {}, "cpu") is None


def test_without_a_reset_an_old_record_says_nothing_of_this_file() -> None:
    before = Reading({"cpu": 100.0}, {"cpu": 500.0})
    assert needed_mb(before, Reading({"cpu": 100.0}, {"cpu": 500.0}), []) is None
    assert needed_mb(before, Reading({"cpu": 100.0}, {"cpu": 600.0}), []) == 500.0


def test_what_the_pool_holds_is_no_leak() -> None:
    after = Reading({"cpu": 160.0}, {"cpu": 160.0})
    assert leaked_mb(BEFORE, after, {}, {}, "cpu") == 60.0
    assert leaked_mb(BEFORE, after, {"cpu": 5.0}, {"cpu": 45.0}, "cpu") == 20.0
    assert leaked_mb(BEFORE, after, {}, {"cpu": 90.0}, "cpu") == 0.0


def test_held_memory_is_read_from_the_pools_statistics() -> None:
    assert held_mb(None) == {}
    assert held_mb({"devices": {"cuda": 2**20, "cuda:0": 2**21}}) == {"cuda:0": 3.0}
    stats = {"devices": {"cpu": 2**22}, "mapped_bytes": 2**20}
    assert held_mb(stats) == {"cpu": 3.0}


def test_proc_status() -> None:
    text = "Name:\tx\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n"
    assert parse_status(text) == Host(2.0, 4.0)
    assert parse_status(f"{text}RssFile:\t1024 kB\n") == Host(2.0, 4.0, 1.0)
    assert parse_status("Name:\tx\n") is None


def test_a_fake_proc(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmHWM:\t4096 kB\nVmRSS:\t2048 kB\n")
    assert read_memory(tmp_path).now["cpu"] == 2.0
    start_measuring(tmp_path)
    assert (tmp_path / "clear_refs").read_text() == "5"


def test_mapped_files_are_not_the_processs_own(tmp_path: Path) -> None:
    """The record is of both together: the highest that was mapped is taken off it."""
    (tmp_path / "status").write_text(
        "VmHWM:\t409600 kB\nVmRSS:\t204800 kB\nRssFile:\t51200 kB\nRssShmem:\t0 kB\n"
    )
    assert read_memory(tmp_path) == Reading({"cpu": 150.0}, {"cpu": 350.0})
    seen = Peaks(own_mb=200.0, mapped_mb=120.0, devices={}, samples=3)
    assert read_memory(tmp_path, seen).peak["cpu"] == 280.0
    assert read_memory(tmp_path, replace(seen, own_mb=290.0)).peak["cpu"] == 290.0
    assert read_memory(tmp_path, replace(seen, mapped_mb=None)).peak["cpu"] == 350.0
