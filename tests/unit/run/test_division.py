"""How a machine is divided among workers, on machines made of files."""

from pathlib import Path

import pytest

from rpgen.errors import UsageError
from rpgen.run.division import Resources, divide, how_many, look, parse_workers

PLAIN = Resources(16, 64_000.0)
GPUS = Resources(16, 64_000.0, ("0", "1", "2", "3"))


def test_how_many_workers() -> None:
    assert how_many(None, PLAIN) == 1
    assert how_many("auto", PLAIN) == 4
    assert how_many("auto", Resources(64, 13_000.0)) == 2
    assert how_many("auto", Resources(1, 100.0)) == 1
    assert how_many(None, GPUS) == how_many("auto", GPUS) == 4
    assert how_many(None, Resources(16, 64_000.0, ("0",))) == 1
    assert how_many(3, GPUS) == 3


def test_a_single_worker_has_all() -> None:
    assert divide(1, GPUS, {}) == ({},)


def test_devices_and_threads_are_divided() -> None:
    first, second = divide(2, GPUS, {})
    assert (first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]) == ("0,2", "1,3")
    assert first["OMP_NUM_THREADS"] == second["OMP_NUM_THREADS"] == "8"
    many = divide(6, GPUS, {})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in many] == ["0", "1", "2", "3", "0", "1"]
    assert all("CUDA_VISIBLE_DEVICES" not in each for each in divide(2, PLAIN, {}))


def test_what_the_person_set_stays_and_budgets_are_those_of_the_run() -> None:
    given = {"OMP_NUM_THREADS": "1", "RPGEN_MEMORY_BUDGET": "900", "RPGEN_DEVICE_BUDGET": "500"}
    for each in divide(3, PLAIN, given):
        assert "OMP_NUM_THREADS" not in each
        assert each["RPGEN_MEMORY_BUDGET"] == "300"
    assert all("RPGEN_DEVICE_BUDGET" not in each for each in divide(4, GPUS, given))
    assert {each["RPGEN_DEVICE_BUDGET"] for each in divide(8, GPUS, given)} == {"250"}


@pytest.mark.parametrize(
    ("variable", "device", "found"),
    [
        (None, None, ("0", "1")),
        ("1", None, ("1",)),
        ("GPU-a,GPU-b", "cuda", ("GPU-a", "GPU-b")),
        (None, "gpu", ("0", "1")),
        (None, "cuda:1", ()),
        ("", None, ()),
        ("-1", None, ()),
        (None, "cpu", ()),
        (None, "mps", ()),
    ],
)
def test_accelerators_are_counted_by_their_files(
    variable: str | None, device: str | None, found: tuple[str, ...], tmp_path: Path
) -> None:
    for address in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "proc/driver/nvidia/gpus" / address).mkdir(parents=True)
    environment = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    assert look(environment, device, tmp_path).accelerators == found


def test_amd_devices_are_counted_too(tmp_path: Path) -> None:
    for number, gpu in enumerate(("0", "51234", "51235")):
        node = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{number}"
        node.mkdir(parents=True)
        (node / "gpu_id").write_text(f"{gpu}\n")
    found = look({}, "rocm", tmp_path)
    assert (found.accelerators, found.visible) == (("0", "1"), "HIP_VISIBLE_DEVICES")
    assert look({"CUDA_VISIBLE_DEVICES": "3"}, None, tmp_path / "nothing").accelerators == ()


def test_numbers_of_workers_as_they_are_written() -> None:
    assert (parse_workers(None), parse_workers("auto"), parse_workers("3")) == (None, "auto", 3)
    for text in ("0", "-1", "many", "", "1.5", "1000"):
        with pytest.raises(UsageError):
            parse_workers(text)
