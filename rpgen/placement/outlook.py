"""What one model would run on: its family, the order of preference, each backend's outlook."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rpgen.families import Classification, Family
from rpgen.hardware.types import TORCH_BACKENDS, Backend, HardwareSnapshot
from rpgen.placement.matrix import FAMILIES, GUIDE


@dataclass(frozen=True)
class BackendOutlook:
    """`compatible` is the tables' word on the model, `on_this_system` the machine's."""

    backend: Backend
    compatible: bool
    on_this_system: bool
    reason: str

    @property
    def effective(self) -> bool:
        return self.compatible and self.on_this_system


@dataclass(frozen=True)
class ModelOutlook:
    classification: Classification
    optimal: Backend
    torch_device: str
    priority: tuple[Backend, ...]
    backends: tuple[BackendOutlook, ...]

    def lines(self) -> list[str]:
        """The guide's block, line by line."""
        answer = self.classification
        return [
            f"Model: {answer.model_name}",
            f"  Family: {answer.family or 'general'} (confidence: {answer.confidence:.2f})",
            f"  Optimal Hardware: {self.optimal}",
            f"  PyTorch Device: {self.torch_device}",
            f"  Hardware Priority: {' > '.join(self.priority)}",
            f"  Recommended Template: {answer.template}",
            "  Hardware Compatibility:",
            *(_line(seen) for seen in self.backends),
        ]

    def to_dict(self) -> dict[str, Any]:
        answer = self.classification
        return {
            "model": answer.model_name,
            "family": answer.family,
            "subfamily": answer.subfamily,
            "confidence": answer.confidence,
            "source": answer.source,
            "model_type": answer.model_type,
            "optimal_hardware": str(self.optimal),
            "torch_device": self.torch_device,
            "priority": [str(backend) for backend in self.priority],
            "template": answer.template,
            "compatibility": {
                str(seen.backend): {
                    "compatible": seen.compatible,
                    "system": seen.on_this_system,
                    "effective": seen.effective,
                    "reason": seen.reason,
                }
                for seen in self.backends
            },
        }


def _line(seen: BackendOutlook) -> str:
    marks = [
        "✅" if value else "❌" for value in (seen.compatible, seen.on_this_system, seen.effective)
    ]
    return f"    {seen.backend}: {marks[0]} (System: {marks[1]}, Effective: {marks[2]})"


def outlook(answer: Classification, snapshot: HardwareSnapshot) -> ModelOutlook:
    """The outlook of a classified model on one machine."""
    priority, device = best_device(answer.family, answer.model_type, snapshot)
    usable = [backend for backend in priority if snapshot.report(backend).available]
    return ModelOutlook(
        classification=answer,
        optimal=usable[0] if usable else Backend.CPU,
        torch_device=device,
        priority=priority,
        backends=tuple(_backends(answer.family, answer.model_type, snapshot)),
    )


def best_device(
    family: Family | None, model_type: str | None, snapshot: HardwareSnapshot
) -> tuple[tuple[Backend, ...], str]:
    """The torch backends in the tables' order for such a model, and the first device there is."""
    priority = tuple(b for b in GUIDE.priority(family, model_type) if b in TORCH_BACKENDS)
    devices = (device for backend in priority for device in snapshot.devices(backend))
    return priority, next((d.torch_device for d in devices if d.torch_device), "cpu")


def _backends(
    family: Family | None, model_type: str | None, snapshot: HardwareSnapshot
) -> Sequence[BackendOutlook]:
    columns = next(iter(FAMILIES.values())).cells
    found = []
    for backend in columns:
        cell = GUIDE.cell(backend, family, model_type)
        report = snapshot.report(backend)
        compatible = cell is None or cell.supported
        reason = report.reason if compatible else f"{backend} is not for such models"
        found.append(BackendOutlook(backend, compatible, report.available, reason))
    return found
