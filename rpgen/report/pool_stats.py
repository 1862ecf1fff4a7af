"""The pool's statistics after a run: tables and JSON for `rpgen stats`."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rpgen.report import words
from rpgen.report.json_report import build, to_text
from rpgen.run.results import RunResult

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

MB = 2**20


def to_json(result: RunResult) -> str:
    """The run's name and times, what came out, and the pool's own dict as it was."""
    report = build(result)
    chosen = ("schema", "run", "started_at", "ended_at", "summary", "pool", "host", "versions")
    return to_text({name: report[name] for name in chosen})  # type: ignore[literal-required]


def render(result: RunResult, width: int = 100) -> "Group":
    """Everything that the pool said last, in a few small tables."""
    from rich.console import Group
    from rich.text import Text

    started = datetime.datetime.fromtimestamp(result.started_at).astimezone()
    state = "" if result.ended_at else ", still going on or cut off"
    head = f"run {result.run}, started {started:%Y-%m-%d %H:%M:%S}{state}: {words.counts(result)}"
    if not result.pool:
        return Group(Text(head), Text("no file of this run used the resource pool"))
    pool = result.pool
    parts: list[Any] = [Text(head), _figures("resource pool", _pool_figures(pool))]
    if pool.get("models"):
        parts.append(_models(pool["models"], wide=width >= 100))
    devices = (pool.get("cuda_memory") or {}).get("devices") or []
    if devices:
        parts.append(_accelerators(devices, _platform(pool["cuda_memory"])))
    known = {**(pool.get("hardware") or {}), **(pool.get("component_status") or {})}
    if known:
        parts.append(_figures("components", [(name, _brief(known[name])) for name in known]))
    return Group(*parts)


def _figures(title: str, rows: Iterable[tuple[str, str]]) -> "Table":
    from rich.table import Table

    grid = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(f"  {name}", words.printable(value))
    return grid


def _pool_figures(pool: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "requests", words.requests(pool)
    yield (
        "held",
        f"{pool.get('cached_resources', 0)} resources, {pool.get('cached_models', 0)} models, "
        f"{pool.get('cached_tokenizers', 0)} tokenizers, {_mb(pool.get('memory_usage_mb'))}",
    )
    for device, size in (pool.get("devices") or {}).items():
        yield f"on {device}", _mb(size / MB)
    if "load_seconds" in pool:
        avoided = pool.get("loads_avoided")
        yield "loading", f"{words.seconds(pool['load_seconds'])}, {avoided} loads avoided"
    cleanups = pool.get("cleanups") or {}
    if cleanups:
        yield (
            "clean-ups",
            f"{cleanups.get('runs', 0)}, which removed {cleanups.get('removed', 0)} "
            f"and freed {_mb(cleanups.get('freed_mb'))}; {pool.get('evictions', 0)} evictions",
        )
    yield "low memory mode", "on" if pool.get("low_memory_mode") else "off"
    system = pool.get("system_memory") or {}
    if system:
        pressure = ", under pressure" if system.get("under_pressure") else ""
        yield (
            "host memory",
            f"{_mb(system.get('available_mb'))} of {_mb(system.get('total_mb'))} available, "
            f"{system.get('percent_used')}% used{pressure} ({system.get('limit_source')})",
        )
    cpu = pool.get("cpu") or {}
    if cpu:
        yield "processor", f"{cpu.get('percent')}% of {cpu.get('cores')} cores"


def _models(models: Mapping[str, Mapping[str, Any]], *, wide: bool) -> "Table":
    from rich import box
    from rich.table import Table

    grid = Table(title="models", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("model", overflow="fold")
    numbers = ("MB", "hits", "age", "idle")
    names = ["device", "dtype", *numbers, *(["measured by"] if wide else [])]
    for name in names:
        grid.add_column(name, justify="right" if name in numbers else "left")
    for key, facts in models.items():
        idle = words.seconds(facts.get("idle_seconds") or 0.0)
        cells = [
            str(facts.get("device")),
            str(facts.get("dtype") or "-"),
            words.megabytes(facts.get("memory_usage_mb")),
            str(facts.get("hits", "-")),
            words.seconds(facts.get("age_seconds") or 0.0),
            "in use" if facts.get("in_use") else idle,
            str(facts.get("memory_estimation_method") or "-"),
        ]
        grid.add_row(words.printable(key), *cells[: len(names)])
    return grid


def _accelerators(devices: Iterable[Mapping[str, Any]], platform: str) -> "Table":
    return _figures(
        f"accelerators ({platform})" if platform else "accelerators",
        [
            (
                f"cuda:{device.get('id')} {device.get('name')}",
                f"{_mb(device.get('free_mb'))} of {_mb(device.get('total_mb'))} free, "
                f"{_mb(device.get('allocated_mb'))} allocated, "
                f"{_mb(device.get('reserved_mb'))} reserved, "
                f"{device.get('percent_used') or 0:.1f}% used"
                f"{', under pressure' if device.get('under_pressure') else ''}, "
                f"utilization {_percent(device.get('utilization_percent'))}, "
                f"{'with' if device.get('has_tensor_cores') else 'without'} tensor cores",
            )
            for device in devices
        ],
    )


def _platform(cuda: Mapping[str, Any]) -> str:
    """ "CUDA 13.0", "ROCm 6.4"; "" where torch was built for neither."""
    versions = (("CUDA", cuda.get("cuda_version")), ("ROCm", cuda.get("rocm_version")))
    return ", ".join(f"{name} {version}" for name, version in versions if version)


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}%"


def _mb(value: float | None) -> str:
    return "unknown" if value is None else f"{words.megabytes(value)} MB"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping) and "state" in value:
        reason = value.get("reason")
        return f"{value['state']}: {reason}" if reason else str(value["state"])
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_brief(item)}" for name, item in value.items()) or "-"
    return str(value)
