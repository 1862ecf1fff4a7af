"""A machine made of a folder: what a probe sees of it is what a test put there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from rpgen.hardware.surroundings import Finished, Surroundings

CPUINFO = """\
processor\t: {number}
vendor_id\t: GenuineIntel
model name\t: Example Processor 9000
physical id\t: 0
core id\t\t: {core}
flags\t\t: fpu sse sse2 sse4_1 sse4_2 avx avx2 fma avx512f avx512_bf16 amx_tile amx_bf16

"""


class FakeMachine:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.packages = folder / "site-packages"
        self.env: dict[str, str] = {}
        self.programs: dict[str, str | Finished] = {}
        self.libraries: dict[str, object] = {}
        self.system, self.machine = "Linux", "x86_64"
        self.asked: list[Sequence[str]] = []
        self.packages.mkdir(parents=True)
        self.root.mkdir()
        self.processors(2)
        self.meminfo(total_mb=16384, available_mb=12288)

    def file(self, name: str, text: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def processors(self, count: int, threads_per_core: int = 1) -> None:
        blocks = (CPUINFO.format(number=n, core=n // threads_per_core) for n in range(count))
        self.file("proc/cpuinfo", "".join(blocks))

    def meminfo(self, total_mb: int, available_mb: int) -> None:
        self.file(
            "proc/meminfo",
            f"MemTotal: {total_mb * 1024:>12} kB\nMemFree: 1024 kB\n"
            f"MemAvailable: {available_mb * 1024:>8} kB\n",
        )

    def package(self, name: str, version: str) -> None:
        (self.packages / f"{name}-{version}.dist-info").mkdir()

    def torch(self, version: str = "2.13.0", **builds: str) -> None:
        lines = [f"__version__ = {version!r}", "debug = False"]
        for kind in ("cuda", "hip", "xpu"):
            lines.append(f"{kind}: Optional[str] = {builds.get(kind)!r}")
        folder = self.packages / "torch"
        folder.mkdir(exist_ok=True)
        (folder / "version.py").write_text("from typing import Optional\n" + "\n".join(lines))

    def pci(
        self,
        vendor: int,
        device: int = 0x1234,
        kind: int = 0x0300,
        address: str = "0000:01:00.0",
        driver: str | None = None,
    ) -> None:
        folder = f"sys/bus/pci/devices/{address}"
        self.file(f"{folder}/vendor", f"0x{vendor:04x}\n")
        self.file(f"{folder}/device", f"0x{device:04x}\n")
        self.file(f"{folder}/class", f"0x{kind:04x}00\n")
        if driver:
            (self.root / folder / "driver").symlink_to(f"../../drivers/{driver}")

    def _run(self, command: Sequence[str], timeout: float) -> Finished:
        self.asked.append(command)
        said = self.programs.get(command[0].removeprefix("/usr/bin/"))
        if isinstance(said, Finished):
            return said
        return Finished(0, said) if said is not None else Finished(None, "", "not found")

    def _which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    @property
    def here(self) -> Surroundings:
        library: Callable[[str], object | None] = self.libraries.get
        env: Mapping[str, str] = dict(self.env)
        return Surroundings(
            root=self.root,
            env=env,
            search_path=(str(self.packages),),
            system=self.system,
            machine=self.machine,
            python="python",
            home=Path("/home/somebody"),
            which=self._which,
            run=self._run,
            library=library,
        )


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)
