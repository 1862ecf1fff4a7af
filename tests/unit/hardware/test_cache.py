import json
import threading
from dataclasses import replace

import pytest

from rpgen.errors import DataError, OutputError, UsageError
from rpgen.hardware import cache, detector
from rpgen.hardware.identity import host_identity
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Evidence,
    HardwareSnapshot,
    HostIdentity,
    State,
    Step,
)


def snapshot_of(host: HostIdentity) -> HardwareSnapshot:
    cpu = BackendReport(Backend.CPU, State.AVAILABLE, facts={"cores": {"logical": 2}})
    return HardwareSnapshot(host, {Backend.CPU: cpu}, 2, 4096.0, os_version="Example 1")


def named(name: str) -> HostIdentity:
    return HostIdentity(name, "Linux", "x86_64", {"nvidia": "580.1"}, {"torch": "2.13.0"})


@pytest.fixture
def detections(monkeypatch):
    """Counts detections; each answers with a snapshot of this machine."""
    calls = []

    def detect(*, deep=False, **options):
        calls.append(deep)
        return snapshot_of(host_identity())

    monkeypatch.setattr(detector, "detect", detect)
    return calls


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hardware_cache.json"


def test_no_file_is_an_empty_inventory(path):
    inventory, warning = cache.load(path)
    assert inventory.hosts == {}
    assert warning is None
    assert not path.exists()


def test_what_is_stored_is_read_again(path):
    cache.store(path, snapshot_of(named("one")))
    inventory, warning = cache.load(path)
    assert warning is None
    assert inventory.hosts == {"one": snapshot_of(named("one"))}


def test_other_hosts_are_kept(path):
    for name in ("one", "two", "three"):
        cache.store(path, snapshot_of(named(name)))
    newer = replace(snapshot_of(named("two")), cpu_count=64)
    cache.store(path, newer)
    hosts = cache.load(path)[0].hosts
    assert list(hosts) == ["one", "three", "two"]
    assert hosts["two"] == newer
    assert hosts["one"] == snapshot_of(named("one"))


def test_a_cached_snapshot_is_used_and_has_the_memory_of_now(path, detections):
    first = cache.snapshot(path)
    again = cache.snapshot(path)
    assert len(detections) == 1
    assert again.backends == first.backends
    assert again.memory_total_mb != 4096.0, "memory is read, not remembered"


def test_free_memory_is_never_stored(path):
    cache.store(path, detector.detect(only=[Backend.CPU]))
    assert "available_mb" not in path.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"drivers": {"nvidia": "590.2"}},
        {"libraries": {"torch": "2.14.0 for CPU"}},
        {"visible_devices": {"CUDA_VISIBLE_DEVICES": "1", "cpus": "2"}},
        {"machine": "aarch64"},
    ],
)
def test_what_identifies_the_host_decides_whether_it_holds(path, detections, monkeypatch, change):
    cache.snapshot(path)
    changed = replace(host_identity(), **change)
    monkeypatch.setattr(cache, "host_identity", lambda: changed)
    cache.snapshot(path)
    assert len(detections) == 2


def test_another_selection_of_devices_is_another_identity(path, detections, monkeypatch):
    cache.snapshot(path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cache.snapshot(path)
    assert len(detections) == 2


def test_identity_of_a_machine_follows_driver_and_torch(machine):
    machine.torch("2.13.0+cpu")
    before = host_identity(machine.here)
    assert host_identity(machine.here) == before
    machine.file("sys/module/nvidia/version", "580.1")
    with_driver = host_identity(machine.here)
    assert with_driver != before
    machine.torch("2.13.0+cu130", cuda="13.0")
    with_build = host_identity(machine.here)
    assert with_build != with_driver
    machine.file("dev/nvidia0")
    with_gpu = host_identity(machine.here)
    assert with_gpu != with_build
    machine.env["RPGEN_BROWSER"] = "/opt/chrome"
    machine.file("opt/chrome")
    assert host_identity(machine.here) != with_gpu


def test_the_host_is_named_by_the_environment_and_places_stay_private(machine):
    machine.env |= {"RPGEN_HOST_NAME": "lab-7", "ROCM_HOME": "/home/somebody/rocm"}
    host = host_identity(machine.here)
    assert host.name == "lab-7"
    assert "somebody" not in str(host)
    assert host.visible_devices["ROCM_HOME"] == "set"


def test_refresh_and_deep_detect_anew(path, detections):
    cache.snapshot(path)
    cache.snapshot(path, refresh=True)
    cache.snapshot(path, deep=True)
    assert detections == [False, False, True]


def test_without_a_file_nothing_is_written(tmp_path, detections, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache.snapshot(None)
    assert list(tmp_path.iterdir()) == []


def test_another_host_comes_from_the_inventory(path, detections):
    cache.store(path, snapshot_of(named("gpu-box")))
    found = cache.snapshot(path, host="gpu-box")
    assert found == snapshot_of(named("gpu-box")), "nothing of this machine is mixed in"
    assert detections == []


def test_an_unknown_host_names_the_known_ones(path, detections):
    cache.store(path, snapshot_of(named("gpu-box")))
    with pytest.raises(UsageError, match="gpu-box"):
        cache.snapshot(path, host="other")
    with pytest.raises(UsageError, match="--hw-cache"):
        cache.snapshot(None, host="other")


GOOD = {"kind": cache.KIND, "schema": cache.SCHEMA, "hosts": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"not json",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b'{"hardware": {"cpu": true}}',
        json.dumps(GOOD | {"schema": 99}).encode(),
        json.dumps(GOOD | {"schema": "1"}).encode(),
        json.dumps(GOOD | {"kind": "something else"}).encode(),
        json.dumps(GOOD | {"hosts": []}).encode(),
        json.dumps(GOOD | {"hosts": {"a": {}}}).encode(),
        b'{"kind": NaN}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_torn_or_foreign_file_is_set_aside(path, detections, content):
    path.write_bytes(content)
    warnings = []
    found = cache.snapshot(path, warn=warnings.append)
    assert found.report(Backend.CPU).available
    [warning] = warnings
    assert "hardware_cache.json.broken-1" in warning
    assert "\n" not in warning
    assert (path.parent / "hardware_cache.json.broken-1").read_bytes() == content
    assert cache.load(path)[1] is None, "a whole file took its place"


def test_every_broken_file_is_kept(path, detections):
    for number in range(3):
        path.write_text(f"broken {number}")
        cache.load(path)
    for number in range(3):
        aside = path.with_name(f"hardware_cache.json.broken-{number + 1}")
        assert aside.read_text() == f"broken {number}"


def test_a_truncated_file_is_never_half_believed(path):
    cache.store(path, snapshot_of(named("one")))
    whole = path.read_bytes()
    for end in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:end])
        inventory, warning = cache.load(path)
        assert inventory.hosts == {}
        assert warning


def test_a_host_under_anothers_name_is_foreign(path):
    cache.store(path, snapshot_of(named("one")))
    path.write_text(path.read_text().replace('"one": {', '"two": {'))
    assert cache.load(path)[1]


def test_a_folder_is_no_inventory(tmp_path):
    with pytest.raises(DataError, match="not a file"):
        cache.load(tmp_path)


def test_an_inventory_below_a_file_can_not_be_written(tmp_path, detections):
    (tmp_path / "file").write_text("")
    with pytest.raises((OutputError, DataError), match=r"inventory\.json|can't"):
        cache.snapshot(tmp_path / "file" / "inventory.json")


def test_folders_on_the_way_are_made(tmp_path, detections):
    path = tmp_path / "a" / "b" / "inventory.json"
    cache.snapshot(path)
    assert path.is_file()


def test_writers_at_once_lose_nothing(path):
    names = [f"host-{number}" for number in range(8)]

    def write(name):
        for cpus in (2, 4, 8):
            cache.store(path, replace(snapshot_of(named(name)), cpu_count=cpus))

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        inventory, warning = cache.load(path)
        assert warning is None, "a reader never sees half a file"
        thread.join()
    inventory, _ = cache.load(path)
    assert {name: found.cpu_count for name, found in inventory.hosts.items()} == dict.fromkeys(
        names, 8
    )


def test_nothing_but_the_file_and_its_lock_is_left(path):
    cache.store(path, snapshot_of(named("one")))
    assert {entry.name for entry in path.parent.iterdir()} <= {
        "hardware_cache.json",
        ".hardware_cache.json.lock",
    }


def test_odd_names_and_texts_survive(path):
    host = replace(named('a "quoted" höst\n{{x}}'), libraries={"torch": "\u2028"})
    odd = replace(snapshot_of(host), backends={})
    cache.store(path, odd)
    assert cache.load(path)[0].hosts[host.name] == odd


def test_evidence_of_a_kernel_stays_in_the_inventory(path):
    proven = Evidence(Step.KERNEL, True, "cpu: right")
    cpu = BackendReport(Backend.CPU, State.AVAILABLE, (proven,))
    cache.store(path, replace(snapshot_of(named("one")), backends={Backend.CPU: cpu}))
    assert cache.load(path)[0].hosts["one"].report(Backend.CPU).evidence == (proven,)
