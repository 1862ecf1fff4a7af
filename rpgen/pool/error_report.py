"""The guide's error reports: what failed where, and what a person might do about it."""

import datetime
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rpgen.errors import OutputError
from rpgen.families import Classification
from rpgen.hardware.types import Backend
from rpgen.placement.matrix import GUIDE

_MEMORY = re.compile(r"out of memory|outofmemory|can't allocate memory|memoryerror|\bOOM\b", re.I)
_UNSUPPORTED = re.compile(
    r"not (currently )?(implemented|supported)|unsupported|no kernel|NotImplementedError|"
    r"could not run '",
    re.I,
)
_MISSING = re.compile(r"not found|404|does not exist|no such file|can't load", re.I)
_NETWORK = re.compile(r"connection|timed? ?out|offline|resolve|unreachable", re.I)
_ACCESS = re.compile(r"gated|401|403|unauthori[sz]ed|forbidden|restricted", re.I)
_DRIVER = re.compile(r"driver|device-side assert|CUDA error|HIP error|invalid device", re.I)
_DTYPE = re.compile(r"dtype|\bHalf\b|BFloat16|expected scalar type", re.I)


def error_report(
    model_name: str,
    hardware_type: str,
    error_message: str,
    stack_trace: str | None,
    classify: Callable[[str], Classification | None],
) -> dict[str, Any]:
    """The report as JSON values; family and sub-family are None where nothing tells them."""
    found = classify(model_name)
    text = f"{error_message}\n{stack_trace or ''}"
    return {
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "model_name": model_name,
        "model_family": str(found.family) if found and found.family else None,
        "subfamily": str(found.subfamily) if found and found.subfamily else None,
        "hardware_type": str(hardware_type),
        "error_message": str(error_message),
        "stack_trace": stack_trace,
        "recommendations": recommendations(text, str(hardware_type)),
        "alternatives": alternatives(str(hardware_type), found),
    }


def recommendations(text: str, hardware_type: str) -> list[str]:
    """What to try, most promising first. Never empty."""
    advice: list[str] = []
    if _MEMORY.search(text):
        advice += [
            f"Free memory on {hardware_type}: call cleanup_unused_resources() or clear().",
            "Load with less memory: precision fp16 or bf16, or a smaller model.",
            "Use a smaller batch, or a device with more memory.",
        ]
    if _UNSUPPORTED.search(text):
        advice.append(
            f"The operation is not supported on {hardware_type}: try another platform, "
            "cuda or cpu for instance."
        )
    if _ACCESS.search(text):
        advice.append("The model is gated or private: accept its terms and log in to the hub.")
    if _MISSING.search(text):
        advice.append("Check the model's name and revision, or give a local folder.")
    if _NETWORK.search(text):
        advice.append("No hub in reach: use a local folder, the cache, or --weights tiny.")
    if _DRIVER.search(text) and not _MEMORY.search(text):
        advice.append(f"Check the driver of {hardware_type} with rpgen detect --deep.")
    if _DTYPE.search(text):
        advice.append("Load in fp32: hardware_preferences precision fp32.")
    return advice or [
        "Run the file alone with rpgen run --debug FILE, and on cpu to tell model from hardware."
    ]


def alternatives(hardware_type: str, found: Classification | None) -> list[str]:
    """The other backends that the matrix holds worth trying for this model, best first."""
    family = found.family if found else None
    ranked = GUIDE.priority(family, found.model_type if found else None)
    kind = hardware_type.partition(":")[0]
    return [str(backend) for backend in ranked if backend != kind and backend is not Backend.XPU]


def save_error_report(report: dict[str, Any], output_dir: str | os.PathLike[str]) -> Path:
    """Write the report as JSON, whole or not at all, never over another one."""
    folder = Path(output_dir)
    words = [report.get("model_name"), report.get("hardware_type"), report.get("timestamp")]
    stem = "_".join(_safe(str(word)) for word in words if word)[:180] or "report"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder, stem, json.dumps(report, indent=2, default=str) + "\n")
    except OSError as error:
        raise OutputError(f"The error report can't be written to {folder}: {error}") from error


def _safe(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", word).strip("._")


def _write(folder: Path, stem: str, text: str) -> Path:
    for number in range(1, 10_000):
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            stream = path.open("x", encoding="utf-8")
        except FileExistsError:
            continue
        try:
            with stream:
                stream.write(text)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path
    raise OutputError(f"{folder} holds too many reports named {stem}.json; clear it out")
