"""What a person asks of a run, and how it reaches the worker's environment."""

import ast
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rpgen.errors import UsageError
from rpgen.placement.targets import parse_target, split_names

PREFERENCES = "TEST_HARDWARE_PREFERENCES"
REQUIRE = "RPGEN_REQUIRE_DEVICE"
DEFAULT_TIMEOUT = 1800.0
DEFAULT_CLEANUP_AGE = 0.5


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

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that every file is to run on; none where each file decides."""
        return split_names(self.device) if self.device else ()

    def environment(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the worker: `given` (this process's) and what the options say."""
        environment = dict(os.environ if given is None else given)
        if len(self.devices) == 1:
            wish = with_device(environment.get(PREFERENCES), self.devices[0], self.require_device)
            environment[PREFERENCES] = wish
        if self.require_device:
            environment[REQUIRE] = "1"
        if self.weights:
            environment["RPGEN_WEIGHTS"] = self.weights
        if self.level:
            environment["RPGEN_LEVEL"] = self.level
        if self.update_baselines:
            environment["RPGEN_BASELINES"] = "update"
        if self.memory_budget is not None:
            environment["RPGEN_MEMORY_BUDGET"] = f"{self.memory_budget:g}"
        if self.device_budget is not None:
            environment["RPGEN_DEVICE_BUDGET"] = f"{self.device_budget:g}"
        return environment

    def to_dict(self) -> dict[str, Any]:
        return {
            "paths": list(self.paths),
            "device": self.device,
            "require_device": self.require_device,
            "weights": self.weights,
            "keyword": self.keyword,
            "maxfail": self.maxfail,
            "timeout_seconds": self.timeout,
            "cleanup_age_minutes": self.cleanup_age,
            "isolate": self.isolate,
            "repeat": self.repeat,
            "reruns": self.reruns,
            "fail_on_leak_mb": self.fail_on_leak,
            "lf": self.lf,
            "shard": self.shard,
            "order": self.order,
            "memory_budget_mb": self.memory_budget,
            "device_budget_mb": self.device_budget,
            "workers": self.workers,
            "engine": self.engine,
            "address": self.address,
            "level": self.level,
            "update_baselines": self.update_baselines,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunRequest":
        """What `to_dict` gave; an option that a later version has is left out."""
        names = {"timeout_seconds": "timeout", "cleanup_age_minutes": "cleanup_age"}
        names |= {f"{name}_mb": name for name in ("fail_on_leak", "memory_budget", "device_budget")}
        known = {field.name for field in fields(cls)}
        given = {names.get(name, name): value for name, value in values.items()}
        chosen = {name: value for name, value in given.items() if name in known}
        return cls(**{**chosen, "paths": tuple(values["paths"])})


def with_device(text: str | None, device: str, required: bool = False) -> str:
    """The preferences of the environment with another device, for the environment."""
    wish: dict[str, Any] = {"device": device}
    target = parse_target(device)
    if required and target is not None and target.eager_torch:
        wish["force_device"] = True
    return json.dumps({**_preferences(text), **wish})


def _preferences(text: str | None) -> dict[str, Any]:
    """The preferences already in the environment: JSON, or a Python literal; never run."""
    if not text or not text.strip():
        return {}
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            return value
    raise UsageError(f"{PREFERENCES} is not a JSON object: {text[:80]!r}; unset it or mend it")
