"""A baseline on disk: what a model's outputs were, small enough to be committed and read.

One file for each (test file, weights and revision, kind of device, dtype), one line for each
tensor, in the order of their names: another device or model touches another file, and a drift
changes the lines of what has drifted.

    skills/test_hf_gpt2.py
    skills/baselines/test_hf_gpt2/tiny-cpu-fp32.json
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rpgen.errors import DataError, OutputError
from rpgen.whole_files import write_whole

SCHEMA = 1
FOLDER = "baselines"
SAMPLES = 8
_HEAD = ("model", "revision", "weights", "device", "dtype")


@dataclass(frozen=True)
class Fingerprint:
    """A tensor in a line. One of floats has its figures; one of whole numbers its `digest`.

    `parts` are the means of consecutive eighths of all values: every value counts in one of
    them. `values` are single ones, evenly spread from the first to the last.
    """

    shape: tuple[int, ...]
    dtype: str
    mean: float | None = None
    spread: float | None = None
    largest: float | None = None
    parts: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    digest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        told = {"shape": list(self.shape), "dtype": self.dtype}
        if self.digest is not None:
            return {**told, "digest": self.digest}
        return {
            **told,
            "mean": self.mean,
            "spread": self.spread,
            "largest": self.largest,
            "parts": list(self.parts),
            "values": list(self.values),
        }

    @classmethod
    def from_dict(cls, values: Any, where: str) -> "Fingerprint":
        """Raises DataError that names the entry which an edit has broken."""
        given = _mapping(values, where)
        shape = _numbers(given, "shape", where)
        if any(size != int(size) or size < 0 for size in shape):
            raise DataError(f"{where}.shape has sizes that are none: {given['shape']!r}")
        sizes, dtype = tuple(int(size) for size in shape), str(given.get("dtype"))
        if "digest" in given:
            return cls(sizes, dtype, digest=str(given["digest"]))
        parts, single = (_numbers(given, name, where) for name in ("parts", "values"))
        if len(parts) != len(single):
            raise DataError(f"{where} has {len(parts)} parts and {len(single)} values")
        mean, spread, largest = (
            _number(given, name, where) for name in ("mean", "spread", "largest")
        )
        return cls(sizes, dtype, mean, spread, largest, parts, single)


@dataclass(frozen=True)
class Baseline:
    """`recorded_with` are the versions (and the machine) that the figures come from,
    `agreed_with` the latest that were found to agree when baselines were updated."""

    model: str
    revision: str | None
    weights: str
    device: str
    dtype: str
    recorded_with: Mapping[str, str]
    agreed_with: Mapping[str, str]
    parameters: Fingerprint
    inputs: Mapping[str, Fingerprint] = field(default_factory=dict)
    outputs: Mapping[str, Fingerprint] = field(default_factory=dict)

    def to_text(self) -> str:
        head = {name: getattr(self, name) for name in _HEAD}
        lines = [f'  "schema": {SCHEMA}']
        lines += [f'  "{name}": {json.dumps(value)}' for name, value in head.items()]
        for name in ("recorded_with", "agreed_with"):
            lines.append(f'  "{name}": {json.dumps(dict(getattr(self, name)), sort_keys=True)}')
        lines.append(f'  "parameters": {_line(self.parameters)}')
        for name in ("inputs", "outputs"):
            prints = getattr(self, name)
            rows = [f"    {json.dumps(key)}: {_line(prints[key])}" for key in sorted(prints)]
            lines.append(f'  "{name}": {{\n' + ",\n".join(rows) + "\n  }")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_text(cls, text: str) -> "Baseline":
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"it is not JSON: {error}") from error
        given = _mapping(whole, "it")
        if given.get("schema") != SCHEMA:
            raise DataError(f"its schema is {given.get('schema')!r}, this version reads {SCHEMA}")
        revision = given.get("revision")
        return cls(
            model=str(given.get("model")),
            revision=None if revision is None else str(revision),
            weights=str(given.get("weights")),
            device=str(given.get("device")),
            dtype=str(given.get("dtype")),
            recorded_with=_versions(given, "recorded_with"),
            agreed_with=_versions(given, "agreed_with"),
            parameters=Fingerprint.from_dict(given.get("parameters"), "parameters"),
            inputs=_fingerprints(given, "inputs"),
            outputs=_fingerprints(given, "outputs"),
        )


def folder_of_baselines(test_file: str) -> Path:
    file = Path(test_file)
    return file.parent / FOLDER / file.stem


def place_of_baseline(
    test_file: str, weights: str, revision: str | None, device: str, dtype: str
) -> Path:
    """Where the baseline of these weights on this kind of device lies, beside the test file."""
    kind = f"{weights}-{revision[:12]}" if revision else weights
    name = re.sub(r"[^0-9A-Za-z.-]+", "_", f"{kind}-{device}-{dtype}")
    return folder_of_baselines(test_file) / f"{name}.json"


def read(path: Path) -> Baseline | None:
    """None where there is none. Raises DataError, with the remedy, for what can't be read."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the baseline {path} can't be read: {error}") from error
    try:
        return Baseline.from_text(text)
    except DataError as error:
        raise DataError(
            f"the baseline {path} can't be used: {error}; take it from version control again,"
            " or write it anew with rpgen run --update-baselines"
        ) from error


def write(path: Path, baseline: Baseline) -> None:
    """Whole or not at all; of two runs at once the later one's stays. Raises OutputError."""
    try:
        write_whole(path, baseline.to_text())
    except OSError as error:
        raise OutputError(
            f"the baseline {path} can't be written ({error.strerror}): make its folder writable,"
            " or run without --update-baselines"
        ) from error


def _line(fingerprint: Fingerprint) -> str:
    return json.dumps(fingerprint.to_dict(), allow_nan=False)


def _versions(given: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: str(value) for key, value in _mapping(given.get(name), name).items()}


def _fingerprints(given: Mapping[str, Any], name: str) -> dict[str, Fingerprint]:
    entries = _mapping(given.get(name), name).items()
    return {key: Fingerprint.from_dict(value, f"{name}.{key}") for key, value in entries}


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where} is {type(value).__name__} and no object")
    return value


def _number(given: Mapping[str, Any], name: str, where: str) -> float:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise DataError(f"{where}.{name} is {value!r} and no number")
    return float(value)


def _numbers(given: Mapping[str, Any], name: str, where: str) -> tuple[float, ...]:
    value = given.get(name)
    if not isinstance(value, list):
        raise DataError(f"{where}.{name} is {value!r} and no list")
    return tuple(_number({name: each}, name, where) for each in value)
