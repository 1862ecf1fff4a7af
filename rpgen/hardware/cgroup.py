"""Limits that control groups put on this process: memory and processor time.

A limit holds for everything below it, so the smallest over all ancestors counts. The groups
are found as the kernel names them: `/proc/self/cgroup` has the group of this process within
its hierarchy, `/proc/self/mountinfo` says where, and from which group on, the hierarchy is
mounted. In a container the two often disagree about the beginning of the path; then the
mount point itself is the group.

    /proc/self/cgroup      0::/user.slice/build.scope
    /proc/self/mountinfo   ... / /sys/fs/cgroup ... - cgroup2 ...
    groups                 /sys/fs/cgroup/user.slice/build.scope, .../user.slice, /sys/fs/cgroup
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MB = 2**20
_UNLIMITED = 2**60  # version 1 writes "no limit" as a number close to 2**63


@dataclass(frozen=True)
class MemoryGroup:
    """One group with a limit. `used` leaves out file cache that the kernel gives back at need."""

    folder: Path
    version: int  # 1 or 2
    limit: int  # bytes
    used: int  # bytes

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)


@dataclass(frozen=True)
class _Hierarchy:
    mount: Path
    version: int
    group: str  # the group of this process, relative to the mount point

    def groups(self) -> Iterator[Path]:
        """The folder of this process's group, then its ancestors up to the mount point."""
        inside = ".." not in Path(self.group).parts
        folder = self.mount / self.group.strip("/") if inside else self.mount
        while folder != self.mount and not folder.is_dir():
            folder = folder.parent
        while True:
            yield folder
            if folder == self.mount:
                return
            folder = folder.parent


def memory_groups(root: Path = Path("/")) -> tuple[MemoryGroup, ...]:
    """Every group over this process that limits memory, innermost first."""
    found = []
    for hierarchy in _hierarchies(root, "memory"):
        read = _read_v2 if hierarchy.version == 2 else _read_v1
        found += [group for folder in hierarchy.groups() if (group := read(folder))]
    return tuple(found)


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many processors' worth of time this process may use; None without a limit."""
    quotas = []
    for hierarchy in _hierarchies(root, "cpu"):
        for folder in hierarchy.groups():
            if hierarchy.version == 2:
                words = (_text(folder / "cpu.max") or "max").split()
                quota, period = words[0], (words[1:] or ["100000"])[0]
            else:
                quota = _text(folder / "cpu.cfs_quota_us") or "-1"
                period = _text(folder / "cpu.cfs_period_us") or "100000"
            if quota.isdigit() and period.isdigit() and int(quota) and int(period):
                quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def pressure_files(root: Path = Path("/")) -> Iterator[Path]:
    """Where the kernel tells of memory pressure: this process's groups, then the machine."""
    for hierarchy in _hierarchies(root, "memory"):
        if hierarchy.version == 2:
            yield from (folder / "memory.pressure" for folder in hierarchy.groups())
    yield root / "proc/pressure/memory"


def _hierarchies(root: Path, controller: str) -> list[_Hierarchy]:
    own = dict(_own_groups(_text(root / "proc/self/cgroup") or ""))
    found = []
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        places, kind = before.split(), after.split()
        if len(places) < 5 or len(kind) < 3:
            continue
        start, mount = _unescaped(places[3]), _unescaped(places[4])
        if kind[0] == "cgroup2" and "" in own:
            version, group = 2, own[""]
        elif kind[0] == "cgroup" and controller in kind[2].split(",") and controller in own:
            version, group = 1, own[controller]
        else:
            continue
        relative = group.removeprefix(start.rstrip("/")) if group.startswith(start) else "/"
        found.append(_Hierarchy(root / mount.lstrip("/"), version, relative))
    return found


def _own_groups(text: str) -> Iterator[tuple[str, str]]:
    """(controller, group) pairs; the controller of version 2 is ""."""
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                yield controller, parts[2]


def _read_v2(folder: Path) -> MemoryGroup | None:
    limits = [_number(folder / name) for name in ("memory.max", "memory.high")]
    limit = min((limit for limit in limits if limit is not None), default=None)
    used = _number(folder / "memory.current")
    if limit is None or used is None:
        return None
    return MemoryGroup(folder, 2, limit, max(used - _stat(folder, "inactive_file"), 0))


def _read_v1(folder: Path) -> MemoryGroup | None:
    limit = _number(folder / "memory.limit_in_bytes")
    used = _number(folder / "memory.usage_in_bytes")
    if limit is None or used is None or limit >= _UNLIMITED:
        return None
    return MemoryGroup(folder, 1, limit, max(used - _stat(folder, "total_inactive_file"), 0))


def _stat(folder: Path, name: str) -> int:
    for line in (_text(folder / "memory.stat") or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace").strip()
    except OSError:
        return None


def _unescaped(text: str) -> str:
    r"""A path of mountinfo, which writes a space as \040."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
