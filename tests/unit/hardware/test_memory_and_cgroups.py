import sys
import types

import pytest

from rpgen.hardware.cgroup import cpu_quota, memory_groups
from rpgen.hardware.memory import device_free_mb, host_memory, pressure

MB = 2**20
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1_MOUNT = "35 31 0:32 {start} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


def group_v2(machine, path, limit, used, inactive=0, high="max"):
    folder = f"sys/fs/cgroup{path}"
    machine.file(f"{folder}/memory.max", str(limit))
    machine.file(f"{folder}/memory.high", str(high))
    machine.file(f"{folder}/memory.current", str(used))
    machine.file(f"{folder}/memory.stat", f"anon 1\ninactive_file {inactive}\n")


def group_v1(machine, path, limit, used, inactive=0):
    folder = f"sys/fs/cgroup/memory{path}"
    machine.file(f"{folder}/memory.limit_in_bytes", str(limit))
    machine.file(f"{folder}/memory.usage_in_bytes", str(used))
    machine.file(f"{folder}/memory.stat", f"inactive_file 7\ntotal_inactive_file {inactive}\n")


@pytest.fixture
def v2(machine):
    machine.file("proc/self/cgroup", "0::/user.slice/build.scope\n")
    machine.file("proc/self/mountinfo", V2_MOUNT)
    return machine


def test_without_groups_the_kernels_figures_stand(machine):
    memory = host_memory(machine.root)
    assert (memory.total_mb, memory.available_mb) == (16384, 12288)
    assert memory.limit_source == "kernel"
    assert memory.limit_mb is None
    assert memory.percent_used == 25


def test_the_smallest_limit_over_all_ancestors_counts(v2):
    group_v2(v2, "/user.slice/build.scope", 8192 * MB, 100 * MB)
    group_v2(v2, "/user.slice", 2048 * MB, 1048 * MB)
    memory = host_memory(v2.root)
    assert memory.available_mb == 1000, "the parent has less left than the group itself"
    assert memory.limit_source == "cgroup v2"
    assert memory.limit_mb == 2048
    assert memory.total_mb == 2048
    assert memory.kernel_total_mb == 16384


def test_file_cache_that_the_kernel_gives_back_is_not_used_memory(v2):
    group_v2(v2, "/user.slice/build.scope", 4096 * MB, 4000 * MB, inactive=3000 * MB)
    assert host_memory(v2.root).available_mb == 3096


def test_memory_high_is_a_limit_too(v2):
    group_v2(v2, "/user.slice/build.scope", "max", 0, high=512 * MB)
    assert host_memory(v2.root).limit_mb == 512


def test_the_kernel_may_have_less_than_a_generous_group(v2):
    group_v2(v2, "/user.slice/build.scope", 14000 * MB, 0)
    memory = host_memory(v2.root)
    assert memory.limit_source == "kernel"
    assert memory.available_mb == 12288
    assert memory.limit_mb == 14000


def test_a_group_beyond_its_limit_has_nothing_left(v2):
    group_v2(v2, "/user.slice/build.scope", 100 * MB, 120 * MB)
    assert host_memory(v2.root).available_mb == 0


@pytest.mark.parametrize("own", ["0::/../../outside\n", "0::/not/mounted/here\n"])
def test_in_a_container_the_mount_point_is_the_group(machine, own):
    machine.file("proc/self/cgroup", own)
    machine.file("proc/self/mountinfo", V2_MOUNT)
    group_v2(machine, "", 1024 * MB, 24 * MB)
    assert host_memory(machine.root).available_mb == 1000


def test_version_1_with_ancestors(machine):
    machine.file("proc/self/cgroup", "9:name=systemd:/\n4:memory:/a/b\n0::/\n")
    machine.file("proc/self/mountinfo", V1_MOUNT.format(start="/"))
    group_v1(machine, "", 9223372036854771712, 5)
    group_v1(machine, "/a", 3000 * MB, 1000 * MB, inactive=500 * MB)
    group_v1(machine, "/a/b", 9223372036854771712, 5)
    memory = host_memory(machine.root)
    assert memory.limit_source == "cgroup v1"
    assert memory.available_mb == 2500
    assert [group.version for group in memory_groups(machine.root)] == [1]


def test_version_1_mounted_from_the_containers_group(machine):
    machine.file("proc/self/cgroup", "4:memory:/docker/abc\n")
    machine.file("proc/self/mountinfo", V1_MOUNT.format(start="/docker/abc"))
    group_v1(machine, "", 100 * MB, 0)
    assert host_memory(machine.root).available_mb == 100


@pytest.mark.parametrize("text", ["", "::", "nonsense\n0:\n", "0::/a\n" * 3])
def test_torn_kernel_files_are_no_limit(machine, text):
    machine.file("proc/self/cgroup", text)
    machine.file("proc/self/mountinfo", "short\n - \n1 2 3 4 5 - cgroup2\n")
    assert host_memory(machine.root).limit_mb is None


def test_a_mount_point_with_a_space(machine):
    machine.file("proc/self/cgroup", "0::/\n")
    machine.file("proc/self/mountinfo", "1 2 3 / /sys/fs/c\\040g rw - cgroup2 x rw\n")
    machine.file("sys/fs/c g/memory.max", str(7 * MB))
    machine.file("sys/fs/c g/memory.current", "0")
    assert host_memory(machine.root).limit_mb == 7


def test_processor_time(v2):
    assert cpu_quota(v2.root) is None
    v2.file("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n")
    v2.file("sys/fs/cgroup/user.slice/build.scope/cpu.max", "max 100000\n")
    assert cpu_quota(v2.root) == 1.5


def psi(percent: float) -> str:
    return (
        f"some avg10={percent:.2f} avg60=0.00 avg300=0.00 total=0\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )


def test_pressure_by_the_kernels_stall_figures(machine):
    machine.meminfo(total_mb=1000, available_mb=100)
    machine.file("proc/pressure/memory", psi(0))
    calm = pressure(machine.root)
    assert not calm.under_pressure, "little is free, but nothing waits"
    assert calm.source == "PSI"
    machine.file("proc/pressure/memory", psi(35.5))
    assert pressure(machine.root).under_pressure


def test_pressure_of_the_own_group_is_seen_when_the_machine_is_calm(v2):
    v2.file("proc/pressure/memory", psi(0))
    v2.file("sys/fs/cgroup/user.slice/memory.pressure", psi(50))
    found = pressure(v2.root)
    assert found.under_pressure
    assert found.source == "PSI of the cgroup"
    assert found.some_percent == 50


@pytest.mark.parametrize(("available", "short"), [(199, True), (200, False), (900, False)])
def test_without_stall_figures_the_guides_fifth_counts(machine, available, short):
    machine.meminfo(total_mb=1000, available_mb=available)
    found = pressure(machine.root)
    assert found.under_pressure is short
    assert found.some_percent is None


class FakeCuda:
    def __init__(self, initialised: bool) -> None:
        self.initialised = initialised

    def is_initialized(self):
        return self.initialised

    def current_device(self):
        return 0

    def mem_get_info(self, index):
        if index > 1:
            raise RuntimeError("invalid device ordinal")
        return (index + 1) * 100 * MB, 1000 * MB


def fake_torch(monkeypatch, initialised, contexts=()):
    torch = types.SimpleNamespace(
        cuda=FakeCuda(initialised),
        _C=types.SimpleNamespace(_cuda_hasPrimaryContext=lambda index: index in contexts),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)


def test_free_memory_of_the_cpu_is_the_hosts():
    free = device_free_mb("cpu")
    assert free is not None
    assert free > 0


def test_free_memory_is_unknown_without_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert device_free_mb("cuda:0", create_context=True) is None
    assert "torch" not in sys.modules


def test_no_context_is_made_unasked(monkeypatch):
    fake_torch(monkeypatch, initialised=True, contexts={1})
    assert device_free_mb("cuda:0") is None
    assert device_free_mb("cuda:1") == 200
    assert device_free_mb("cuda:0", create_context=True) == 100
    assert device_free_mb("cuda", create_context=True) == 100


@pytest.mark.parametrize("device", ["cuda:9", "cuda:x", "cuda:", "nonsense", "", "mps", "xpu:0"])
def test_a_device_that_is_not_there_is_unknown(monkeypatch, device):
    fake_torch(monkeypatch, initialised=False)
    if device == "cuda:":
        assert device_free_mb(device) is None
    else:
        assert device_free_mb(device, create_context=True) is None
