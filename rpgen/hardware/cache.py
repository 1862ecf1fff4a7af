"""The inventory: one JSON file with what was detected on each host.

Reading takes no lock, because the file is replaced in one step. Writing takes a lock beside
the file, reads again what others wrote meanwhile, and keeps their hosts. What is torn or not
ours is set aside under another name, never trusted and never lost.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rpgen.errors import DataError, OutputError, UsageError
from rpgen.hardware.identity import host_identity
from rpgen.hardware.memory import host_memory
from rpgen.hardware.serialise import from_dict, to_dict
from rpgen.hardware.types import HardwareSnapshot, HostIdentity
from rpgen.whole_files import write_whole

SCHEMA = 1
KIND = "rpgen hardware inventory"
LOCK_TIMEOUT = 20.0  # seconds; a write takes milliseconds


@dataclass(frozen=True)
class Inventory:
    """Snapshots by the name of their host."""

    hosts: Mapping[str, HardwareSnapshot] = field(default_factory=dict)


def load(path: Path) -> tuple[Inventory, str | None]:
    """The inventory at `path`, and a warning where a broken file was set aside.

    No file is an empty inventory. DataError where there is something that can't be read.
    """
    try:
        return _read(path), None
    except ValueError as broken:
        try:
            with _locked(path):
                return _read_or_set_aside(path)
        except OutputError as error:
            reason = str(broken).splitlines()[0]
            message = f"{path} is not an inventory of rpgen ({reason}), and can't be set aside"
            raise DataError(message) from error


def store(path: Path, snapshot: HardwareSnapshot) -> str | None:
    """Put one host into the inventory. Warns like `load`; OutputError if it can't be written."""
    with _locked(path):
        inventory, warning = _read_or_set_aside(path)
        _write(path, {**inventory.hosts, snapshot.host.name: snapshot})
    return warning


def snapshot(
    cache_file: Path | None,
    *,
    host: str | None = None,
    refresh: bool = False,
    deep: bool = False,
    keep: bool = True,
    warn: Callable[[str], None] | None = None,
) -> HardwareSnapshot:
    """This host's snapshot: the cached one while it holds, else a new one, which is stored
    unless `keep` is false.

    `host` names another host of the inventory; UsageError where there is none of that name.
    `deep` always computes anew. Warnings go to `warn`; without it they are dropped, the file
    that was set aside still tells.
    """
    identity = host_identity()
    other = host is not None and host != identity.name
    inventory, warning = load(cache_file) if cache_file else (Inventory(), None)
    if warning and warn:
        warn(warning)
    if other:
        return _other_host(inventory, str(host), cache_file)
    known = inventory.hosts.get(identity.name)
    if known and not refresh and not deep and still_holds(known, identity):
        return _with_memory_of_now(known)
    from rpgen.hardware.detector import detect

    found = detect(deep=deep)
    if cache_file and keep:
        warning = store(cache_file, found)
        if warning and warn:
            warn(warning)
    return found


def still_holds(known: HardwareSnapshot, identity: HostIdentity) -> bool:
    """Whether what was detected then is still true: nothing that identifies the host changed."""
    return known.host == identity


def _with_memory_of_now(known: HardwareSnapshot) -> HardwareSnapshot:
    """Memory and its limit belong to the moment: the same host may run in another container."""
    memory = host_memory()
    return replace(known, memory_total_mb=memory.kernel_total_mb, memory_limit_mb=memory.limit_mb)


def _other_host(inventory: Inventory, host: str, path: Path | None) -> HardwareSnapshot:
    if host in inventory.hosts:
        return inventory.hosts[host]
    if path is None:
        raise UsageError(f"the host {host!r} needs an inventory: name the file with --hw-cache")
    known = ", ".join(sorted(inventory.hosts)) or "no host at all"
    raise UsageError(f"the inventory {path} has no host {host!r}; it has {known}")


def _read(path: Path) -> Inventory:
    """ValueError for what is torn or not ours, DataError for what can't be read."""
    try:
        if not path.exists():
            return Inventory()
        if not path.is_file():
            raise DataError(f"{path} is not a file; name the inventory's file with --hw-cache")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DataError(f"the inventory {path} can't be read: {error.strerror}") from error
    return parse(text)


def parse(text: str) -> Inventory:
    """The inventory in `text`; ValueError with the reason for anything else."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ValueError(f'it has no "kind": "{KIND}"')
    if data.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {data.get('schema')!r}, not {SCHEMA}")
    hosts = data.get("hosts")
    if not isinstance(hosts, dict):
        raise ValueError("it has no hosts")
    snapshots = {name: from_dict(host) for name, host in hosts.items()}
    misplaced = [name for name, found in snapshots.items() if found.host.name != name]
    if misplaced:
        raise ValueError(f"the host {misplaced[0]!r} has another name inside")
    return Inventory(snapshots)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _read_or_set_aside(path: Path) -> tuple[Inventory, str | None]:
    """With the lock held: another process may have mended the file meanwhile."""
    try:
        return _read(path), None
    except ValueError as error:
        aside = _free_name(path)
        try:
            path.rename(aside)
        except OSError as failure:
            message = f"{path} is not an inventory of rpgen ({error}), and can't be set aside"
            raise DataError(f"{message}: {failure.strerror}") from failure
        reason = str(error).splitlines()[0]
        return Inventory(), (
            f"{path} is not an inventory of rpgen ({reason}); it was set aside as {aside.name}"
        )


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return aside


def _write(path: Path, hosts: Mapping[str, HardwareSnapshot]) -> None:
    document = {
        "kind": KIND,
        "schema": SCHEMA,
        "hosts": {name: to_dict(hosts[name]) for name in sorted(hosts)},
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"the inventory {path} can't be written: {error.strerror}") from error


def _locked(path: Path) -> Any:
    """The lock that all writers of this file share, in a hidden file beside it."""
    import filelock

    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(lock).acquire(timeout=LOCK_TIMEOUT)
    except filelock.Timeout as error:
        raise OutputError(
            f"{lock} has been held by another process for {LOCK_TIMEOUT:g} s"
        ) from error
    except OSError as error:
        raise OutputError(f"the inventory {path} can't be written: {error.strerror}") from error
