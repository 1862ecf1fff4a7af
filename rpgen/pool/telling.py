"""What the pool says when it is asked: statistics, details, explanations, reports of errors."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rpgen.pool import error_report, execute
from rpgen.pool.looking import Looking
from rpgen.pool.surroundings import Surroundings


class Telling:
    """The part of the pool's surface that changes nothing in it."""

    def __init__(self, looking: Looking, around: Surroundings) -> None:
        self._looking, self._around = looking, around

    def get_stats(self) -> dict[str, Any]:
        """Everything the guide lists; callable at any time, from any thread."""
        return self._looking.stats()

    def summary(self) -> dict[str, Any]:
        """The short form that a generated test prints at its end."""
        return self._looking.summary()

    def get_resource_details(self, resource_key: str) -> dict[str, Any] | None:
        """All that is known of one entry; None where there is none."""
        return self._looking.details(resource_key)

    def explain(self, resource_key: str) -> str | None:
        """Why a model is where it is, and what else was considered; None where there is none."""
        return self._looking.explain(resource_key)

    @property
    def available_memory_mb(self) -> float:
        """What the host can give now, under the limits of this process."""
        return self._around.host().available_mb

    def generate_error_report(
        self,
        model_name: str,
        hardware_type: str,
        error_message: str,
        stack_trace: str | None = None,
    ) -> dict[str, Any]:
        """What failed where, with recommendations and alternatives."""
        return error_report.error_report(
            model_name, hardware_type, error_message, stack_trace, self._around.classify
        )

    def save_error_report(
        self, report: dict[str, Any], output_dir: str | os.PathLike[str] = "./hardware_reports"
    ) -> Path:
        return error_report.save_error_report(report, output_dir)

    def execute_concurrent(self, jobs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Run (model, inputs) pairs at the same time; results in order, failures as dicts."""
        return execute.execute_concurrent(jobs)
