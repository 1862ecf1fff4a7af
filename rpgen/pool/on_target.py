"""Models that a backend computes: placed as torch models on the CPU, with the backend at their
forward pass.

    wanted: openvino   ->  probe  ->  not here: the test is skipped (a failure if required)
                                  ->  here: a source whose `load_model` attaches the backend
"""

import os
import threading
import unittest
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rpgen.errors import MissingPackageError, UsageError
from rpgen.placement.estimate import WeightFigures
from rpgen.placement.preferences import REQUIRE, Preferences
from rpgen.placement.targets import Target
from rpgen.pool.entry import Entry
from rpgen.pool.keys import ModelSource, Options, source_of
from rpgen.pool.loading import bring
from rpgen.pool.sizing import backends_in, measure, torch_modules
from rpgen.pool.table import Watcher

_IN_A_BROWSER = ("webgpu", "webnn", "wasm")
_BROWSERS = ("chromium", "chrome", "edge")  # of one engine, which is what computes
OPTION = "on"
"""The target among an identity's options: what torch computes itself has none."""


class BackendAbsentError(unittest.SkipTest):
    """The backend that was asked for isn't here; the message has the reason and the remedy."""


def require(target: Target, preferences: Preferences) -> None:
    """Returns where the target can be had. BackendAbsentError where not, MissingPackageError
    where it is required."""
    from rpgen.backends import backend_of

    told = preferences.compatibility.get(target.kind) if target.kind else None
    browser = (preferences.browser or "").lower()
    if target.backend in _IN_A_BROWSER and browser not in ("", *_BROWSERS):
        reason, remedy = f"{browser!r} was asked for, and rpgen drives Chromium only", None
    elif told is not None and not told.compatible:
        reason, remedy = told.reason or "hw_compatibility says that it is not compatible", None
    else:
        evidence = backend_of(target).probe(target)
        if evidence.available:  # what a processor imitates is so only where that was asked for
            return
        reason, remedy = evidence.reason, evidence.remedy
    words = f"{target} was asked for: {reason}" + (f" ({remedy})" if remedy else "")
    if os.environ.get(REQUIRE):
        raise MissingPackageError(f"{words}; it is required, and never replaced by another device")
    raise BackendAbsentError(words)


def on_option(target: Target | None, options: Options) -> Options:
    """The options of an identity with the target among them."""
    return options if target is None else tuple(sorted((*options, (OPTION, str(target)))))


@dataclass(frozen=True)
class _Doubled:
    """The weights twice: torch's, and those of the first preparation."""

    figures: WeightFigures

    @property
    def parameters(self) -> int | None:
        return self.figures.parameters

    @property
    def source(self) -> str:
        return f"{self.figures.source}, twice: for torch and for the backend"

    def bytes_by_dtype(self, dtype: str | None) -> int | None:
        once = self.figures.bytes_by_dtype(dtype)
        return None if once is None else 2 * once


class OnTarget:
    """A model source: what another constructor makes, computed on a target."""

    def __init__(self, constructor: Callable[..., Any], target: Target, name: str | None) -> None:
        self._constructor, self._target, self._name = constructor, target, name
        self._source: ModelSource | None = source_of(constructor)

    @property
    def model_type(self) -> str | None:
        return getattr(self._source, "model_type", None)

    def load_model(self, device: str = "cpu", dtype: str | None = None) -> Any:
        from rpgen.backends.attach import attach
        from rpgen.backends.base import ModelIdentity

        if self._source is not None:
            value = self._constructor(device="cpu", dtype="fp32")
        else:
            value = self._constructor()
            bring(value, "cpu", "fp32")
        modules = torch_modules(value)
        if not modules:
            raise UsageError(f"{self._target} computes torch models, not a {type(value).__name__}")
        told = self.describe()
        identity = ModelIdentity(
            name=str(told.get("name") or self._name),
            revision=told.get("revision"),
            weights=told.get("weights"),
            auto_class=told.get("auto_class"),
        )
        for module in modules:
            attach(module, self._target, identity)
        return value

    def pool_options(self) -> Mapping[str, Any]:
        return {**(self._source.pool_options() if self._source else {}), OPTION: str(self._target)}

    def estimate(self) -> Any:
        found = self._source.estimate() if self._source else None
        return _Doubled(found) if isinstance(found, WeightFigures) else found

    def describe(self) -> Mapping[str, Any]:
        return self._source.describe() if self._source else {}

    def cache_shape(self) -> Any:
        tell = getattr(self._source, "cache_shape", None)
        return tell() if tell else None


def resizing(lock: threading.RLock) -> Watcher:
    """Keeps the size of an entry true: each preparation of its backend takes memory."""

    def watch(entry: Entry, why: str | None) -> None:
        if why is not None:
            return

        def changed() -> None:
            with lock:
                if entry.live:
                    entry.size = measure(entry.value)
                    for other in entry.needs:
                        other.size = measure(other.value)

        for computed in backends_in(entry.value):
            computed.changed = changed

    return watch
