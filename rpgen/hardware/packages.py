"""Which packages are installed, and how torch was built, read from files without an import.

`importlib.metadata` answers the first question too, but importing it takes longer than the
whole cached `detect` may; the names of the metadata folders say enough.
"""

import ast
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

_METADATA = re.compile(r"^(?P<name>.+?)-(?P<version>\d[^-]*)(?:-.*)?\.(?:dist|egg)-info$")
_ASSIGNMENT = re.compile(r"^(?P<name>\w+)\s*(?::[^=]+)?=\s*(?P<value>.+)$", re.MULTILINE)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_versions(names: Collection[str], search_path: Sequence[str]) -> dict[str, str]:
    """The version of each installed distribution of `names`, the first on the path counting."""
    wanted = {_normal(name): name for name in names}
    found: dict[str, str] = {}
    for folder in search_path:
        try:
            entries = sorted(os.listdir(folder or "."))  # noqa: PTH208 - names alone, and fast
        except OSError:
            continue
        for entry in entries:
            match = _METADATA.match(entry) if entry.endswith("-info") else None
            name = wanted.get(_normal(match["name"])) if match else None
            if match and name:
                found.setdefault(name, match["version"])
    return found


@dataclass(frozen=True)
class TorchBuild:
    """What the installed torch was built for. Each of cuda, hip, xpu is a version or None."""

    version: str
    cuda: str | None = None
    hip: str | None = None
    xpu: str | None = None

    @property
    def kind(self) -> str:
        """In words: "CUDA 13.0", "ROCm 6.4", "XPU 20250101" or "CPU"."""
        if self.hip:
            return f"ROCm {self.hip}"
        if self.cuda:
            return f"CUDA {self.cuda}"
        return f"XPU {self.xpu}" if self.xpu else "CPU"


def parse_torch_version(text: str) -> TorchBuild | None:
    """Read the `version.py` that torch's build writes; None where it holds no version."""
    values: dict[str, str] = {}
    for match in _ASSIGNMENT.finditer(text):
        try:
            value = ast.literal_eval(match["value"].strip())
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, str) and value:
            values[match["name"]] = value
    version = values.get("__version__")
    if version is None:
        return None
    return TorchBuild(version, values.get("cuda"), values.get("hip"), values.get("xpu"))


def torch_build(search_path: Sequence[str]) -> TorchBuild | None:
    """How the torch that `import torch` would take was built; None without a torch."""
    for folder in search_path:
        try:
            text = Path(folder or ".", "torch", "version.py").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        return parse_torch_version(text)
    return None
