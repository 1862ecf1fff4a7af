"""A pool on a simulated machine, without torch: sizes, memory and time are the test's."""

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)
from rpgen.pool import loading
from rpgen.pool.entry import Size
from rpgen.pool.memory import HostFigures
from rpgen.pool.pool import ResourcePool

MB = 2**20


def snapshot(gpus: Mapping[str, float], unified: bool = False) -> HardwareSnapshot:
    cpu = Device(Backend.CPU, 0, "CPU", "cpu", 32_000.0)
    reports = {Backend.CPU: BackendReport(Backend.CPU, State.AVAILABLE, devices=(cpu,))}
    found = tuple(
        Device(
            Backend(name.partition(":")[0]),
            index,
            f"GPU {index}",
            name,
            total,
            unified=unified,
            dtypes=("fp32", "fp16", "bf16"),
        )
        for index, (name, total) in enumerate(gpus.items())
    )
    for backend in {device.backend for device in found}:
        mine = tuple(device for device in found if device.backend is backend)
        reports[backend] = BackendReport(backend, State.AVAILABLE, devices=mine)
    return HardwareSnapshot(HostIdentity("box", "Linux", "x86_64"), reports, 4, 32_000.0)


@dataclass(eq=False)
class FakeModel:
    """A model of `mb` somewhere. It takes its memory when made and gives it back when freed."""

    mb: float
    world: "World"
    device: str = "cpu"
    dtype: str = "fp32"
    name: str = ""

    def __post_init__(self) -> None:
        self.world.taken[self.device] = self.world.taken.get(self.device, 0.0) + self.mb

    def to(self, device: str) -> None:
        if self.world.free(device) < self.mb:
            raise MemoryError(device)
        self.world.taken[self.device] -= self.mb
        self.device = device
        self.world.taken[device] = self.world.taken.get(device, 0.0) + self.mb

    def __del__(self) -> None:
        self.world.taken[self.device] -= self.mb


@dataclass
class World:
    """The machine: its devices, what is taken there, and a clock that stands still."""

    gpus: dict[str, float] = field(default_factory=dict)
    host_mb: float = 32_000.0
    unified: bool = False
    taken: dict[str, float] = field(default_factory=dict)
    now: float = 1000.0
    woken: list[str] = field(default_factory=list)
    sleeping: bool = False

    def free(self, device: str) -> float:
        total = self.host_mb if device == "cpu" else self.gpus[device]
        return total - self.taken.get(device, 0.0)

    def read_free(self, device: str, *, create_context: bool = False) -> float | None:
        if create_context and device not in self.woken:
            self.woken.append(device)
        if self.sleeping and device != "cpu" and device not in self.woken:
            return None
        return self.free(device)

    def pool(self, **options: Any) -> ResourcePool:
        return ResourcePool(
            snapshot=lambda: snapshot(self.gpus, self.unified),
            free_memory=self.read_free,
            host=lambda: HostFigures(self.host_mb, self.free("cpu"), "kernel"),
            classify=lambda _name: None,
            clock=lambda: self.now,
            **options,
        )


@dataclass(frozen=True)
class Figures:
    mb: float
    source: str = "safetensors headers"

    @property
    def parameters(self) -> int:
        return int(self.mb * MB / 4)

    def bytes_by_dtype(self, dtype: str | None) -> int:
        return int(self.mb * MB) // (2 if dtype in ("fp16", "bf16") else 1)


@dataclass(eq=False)
class Source:
    """A checkpoint as the pool sees one. `loads` records every call."""

    world: World
    name: str
    mb: float = 100.0
    options: dict[str, Any] = field(default_factory=lambda: {"auto_class": "AutoModel"})
    model_type: str | None = "bert"
    loads: list[tuple[str, str | None]] = field(default_factory=list)
    before: Callable[[str], None] = lambda _device: None

    def pool_options(self) -> Mapping[str, Any]:
        return self.options

    def estimate(self) -> Figures:
        return Figures(self.mb)

    def describe(self) -> Mapping[str, Any]:
        return {"weights": "tiny"}

    def load_model(self, device: str = "cpu", dtype: str | None = None) -> FakeModel:
        self.loads.append((device, dtype))
        self.before(device)
        mb = self.mb / 2 if dtype in ("fp16", "bf16") else self.mb
        if self.world.free(device) < mb:
            raise MemoryError(f"no room on {device}")
        return FakeModel(mb, self.world, device, dtype or "fp32", self.name)

    def load_tokenizer(self) -> object:
        return type("Tokenizer", (), {})()

    def load_processor(self) -> object:
        return type("Processor", (), {})()


@pytest.fixture(autouse=True)
def _no_transformers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever else runs in this process may have imported it: what can't be looked into would
    then have to wait at its gate, and the collector walk over all of it each time."""
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _fake_models_have_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring and moving know fake models as they know torch's."""
    from rpgen.pool import moving

    measured, brought = loading.measure, loading.bring

    def measure(value: Any) -> Size:
        if isinstance(value, FakeModel):
            size = int(value.mb * MB)
            return Size(size, "fake", {value.device: size}, value.device, value.dtype)
        return measured(value)

    def bring(value: Any, device: str, dtype: str | None) -> None:
        if isinstance(value, FakeModel):
            if value.device != device:
                value.to(device)
        else:
            brought(value, device, dtype)

    for module in (loading, moving):
        monkeypatch.setattr(module, "measure", measure)
        monkeypatch.setattr(module, "bring", bring)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_world() -> type[World]:
    return World


@pytest.fixture
def make_source() -> type[Source]:
    return Source


@pytest.fixture
def pool(world: World) -> Iterator[ResourcePool]:
    made = world.pool()
    yield made
    made.clear()


@pytest.fixture
def fake_model() -> type[FakeModel]:
    return FakeModel
