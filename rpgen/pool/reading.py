"""Reading a request for a model: preferences, family, what is known of its size."""

import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rpgen.errors import UsageError
from rpgen.families import Classification, Family
from rpgen.placement.estimate import CacheShape, Needs, WeightFigures
from rpgen.placement.matrix import Matrix
from rpgen.placement.precision import installed
from rpgen.placement.preferences import QUANTISED, Preferences, merged, parse, parse_device
from rpgen.pool.entry import Identity, Kind
from rpgen.pool.keys import decoded, source_of
from rpgen.pool.on_target import OnTarget, on_option
from rpgen.pool.recall import Recall
from rpgen.pool.wanted import Wanted

logger = logging.getLogger("rpgen.pool")

_GENERATE = (Family.TEXT_GENERATION, Family.AUDIO, Family.MULTIMODAL)
"""The families among whose tests one generates."""


class Reader:
    def __init__(
        self,
        classify: Callable[[str], Classification | None],
        matrix: Matrix,
        recall: Recall,
    ) -> None:
        self._classify, self._matrix, self._recall = classify, matrix, recall
        self._complained: set[str] = set()

    def wanted(
        self,
        request: tuple[Any, ...],
        constructor: Callable[..., Any] | None,
        hardware_preferences: Mapping[str, Any] | None,
    ) -> Wanted:
        """`request` is what the pool remembers: type, name, options, environment, wishes."""
        model_type, model_name, options, environment, _ = request
        preferences = self._preferences(hardware_preferences, decoded(environment))
        target = preferences.target
        if target is not None and constructor is not None:
            constructor = OnTarget(constructor, target, model_name).load_model
        options = on_option(target, options)
        identity = Identity(Kind.MODEL, str(model_type), model_name, options=options)
        return Wanted(
            identity=identity,
            constructor=constructor,
            preferences=preferences,
            kind=lambda: self._needs(str(model_type), model_name, constructor, preferences),
            needs=lambda: self._sized(
                self._needs(str(model_type), model_name, constructor, preferences),
                identity,
                constructor,
            ),
        )

    def _preferences(
        self, callers: Mapping[str, Any] | None, environment: str | None
    ) -> Preferences:
        """What the environment says wrongly is left out with a warning; a caller is told."""
        try:
            return merged(callers, environment)
        except UsageError as error:
            if not environment:
                raise
            found = parse(callers)
            if environment not in self._complained:
                self._complained.add(environment)
                logger.warning("TEST_HARDWARE_PREFERENCES is left out: %s", error)
            return found

    def _needs(
        self,
        model_type: str,
        model_name: str | None,
        constructor: Callable[..., Any] | None,
        preferences: Preferences,
    ) -> Needs:
        """The caller's word on the family first, then the type, then what the name tells."""
        source = source_of(constructor)
        architecture = getattr(source, "model_type", None)
        if architecture is None and model_type in self._matrix.models:
            architecture = model_type
        family = preferences.family or (Family(model_type) if model_type in list(Family) else None)
        if (family is None or architecture is None) and model_name:
            found = self._classify(model_name)
            family = family or (found.family if found else None)
            architecture = architecture or (found.model_type if found else None)
        row = self._matrix.models.get(architecture or "")
        family = family or (row.family if row else None)
        special = preferences.precision in QUANTISED or preferences.allow_quantization
        here = installed(importlib.util.find_spec) if special else ()
        return Needs(
            family=family,
            model_type=architecture,
            quantisers=None if source is None else here,
            can_split=preferences.allow_split and bool(getattr(source, "can_split", False)),
        )

    def _sized(
        self, needs: Needs, identity: Identity, constructor: Callable[..., Any] | None
    ) -> Needs:
        """With what the model's source says of its weights; nothing is known of an opaque one's.

        A source that can tell the shape of a decoder's cache does so by `cache_shape()`.
        """
        source = source_of(constructor)
        figures = source.estimate() if source else None
        if not isinstance(figures, WeightFigures):
            return needs
        tells = getattr(source, "cache_shape", None)
        shape = tells() if tells and needs.family in _GENERATE else None
        return replace(
            needs,
            figures=figures,
            cache=shape if isinstance(shape, CacheShape) else None,
            peaks=self._recall.expected(identity, figures),
        )


def read_device_wish(device: str) -> str:
    """The torch device that somebody names for a move. UsageError where it is none."""
    request = parse_device(device)
    if request is None:
        raise UsageError("Name the device to move to: cpu, cuda, cuda:1, mps")
    name = "cuda" if request.backend == "rocm" else str(request.backend)
    if name in ("cpu", "mps"):
        return name
    return f"{name}:{request.index or 0}"
