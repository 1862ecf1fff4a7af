"""What a person asks of a run, and how it reaches the worker's environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rpgen.paths import MODEL_DATABASE
from rpgen.placement.preferences import ENVIRONMENT, REQUIRE, from_text
from rpgen.placement.targets import parse_target, split_names

DEFAULT_TIMEOUT = 1800.0
DEFAULT_CLEANUP_AGE = 0.5
_NAMES = {
    "timeout": "timeout_seconds",
    "cleanup_age": "cleanup_age_minutes",
    "fail_on_leak": "fail_on_leak_mb",
    "memory_budget": "memory_budget_mb",
    "device_budget": "device_budget_mb",
}
"""What has a unit says so in reports and journals."""


@dataclass(frozen=True)
class RunRequest:
    """The options of `rpgen run`.

    `timeout` is in seconds for each test, its set-up included, and for importing a file; 0
    is no limit. `cleanup_age` is in minutes. `maxfail` 0 is no limit. `fail_on_leak` and the
    budgets are in MB.
    """

    paths: tuple[str, ...]
    device: str | None = None
    require_device: bool = False
    weights: str | None = None
    keyword: str | None = None
    maxfail: int = 0
    timeout: float = DEFAULT_TIMEOUT
    cleanup_age: float = DEFAULT_CLEANUP_AGE
    isolate: bool = False
    repeat: int = 1
    reruns: int = 0
    fail_on_leak: float | None = None
    lf: bool = False
    shard: str | None = None
    order: str = "reuse"
    memory_budget: float | None = None
    device_budget: float | None = None
    workers: int | str | None = None
    engine: str = "local"
    address: str | None = None
    level: str | None = None
    update_baselines: bool = False
    model_db: str | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that every file is to run on; none where each file decides."""
        return split_names(self.device) if self.device else ()

    def environment(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the worker: `given` (this process's) and what the options say."""
        environment = dict(os.environ if given is None else given)
        if len(self.devices) == 1:
            wish = with_device(environment.get(ENVIRONMENT), self.devices[0], self.require_device)
            environment[ENVIRONMENT] = wish
        if self.require_device:
            environment[REQUIRE] = "1"
        if self.weights:
            environment["RPGEN_WEIGHTS"] = self.weights
        if self.level:
            environment["RPGEN_LEVEL"] = self.level
        if self.update_baselines:
            environment["RPGEN_BASELINES"] = "update"
        if self.model_db:
            environment[MODEL_DATABASE] = self.model_db
        if self.memory_budget is not None:
            environment["RPGEN_MEMORY_BUDGET"] = f"{self.memory_budget:g}"
        if self.device_budget is not None:
            environment["RPGEN_DEVICE_BUDGET"] = f"{self.device_budget:g}"
        return environment

    def to_dict(self) -> dict[str, Any]:
        values = {
            _NAMES.get(field.name, field.name): getattr(self, field.name) for field in fields(self)
        }
        return {**values, "paths": list(self.paths)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunRequest":
        """What `to_dict` gave; an option that a later version has is left out."""
        names = {_NAMES.get(field.name, field.name): field.name for field in fields(cls)}
        chosen = {names[name]: value for name, value in values.items() if name in names}
        return cls(**{**chosen, "paths": tuple(values["paths"])})


def with_device(text: str | None, device: str, required: bool = False) -> str:
    """The preferences of the environment with another device, for the environment."""
    wish: dict[str, Any] = {"device": device}
    target = parse_target(device)
    if required and target is not None and target.eager_torch:
        wish["force_device"] = True
    there = from_text(text) if text and text.strip() else {}
    return json.dumps({**there, **wish})
