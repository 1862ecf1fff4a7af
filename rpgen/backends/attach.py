"""A torch model whose forward pass is computed elsewhere.

The model stays what it is: class, configuration, parameters, tokens. Only calling it (and
whatever calls it: `generate`, an encoder before a decoder) goes to the backend.

    model(**inputs)      -> Forward of the model        on the target
    model.generate(...)  -> the same, step by step      with the cache, where that works
    model.get_encoder()  -> a twin of the encoder, with a Forward of its own
"""

import copy
import functools
import inspect
import unittest
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from rpgen.backends import backend_of
from rpgen.backends.base import BackendError, ModelIdentity, Target
from rpgen.backends.figures import Difference
from rpgen.backends.forward import DrawsError, Forward

ATTRIBUTE = "rpgen_backend"
"""Where a model keeps its `Computed`."""

MOST_PREPARED, MOST_BYTES = 16, 4 * 2**30
"""Of one model at a time; the second is for the weights of all its preparations together."""

WITH_CACHE = "generation with the cache of the exported decoder"


class Computed:
    """The backend's side of one model: its forwards, and what is told of them.

    `changed` is called when a preparation has taken memory.
    """

    def __init__(self, target: Target, weights_bytes: int) -> None:
        self.target = target
        self.changed: Callable[[], None] = lambda: None
        self.cache: str | None = None
        self.without_cache: str | None = None
        self._weights_bytes = weights_bytes
        self._forwards: list[Forward] = []

    def forward_of(self, model: Any, identity: ModelIdentity) -> Forward:
        """A forward pass of the model or of a part of it, on the target."""
        most = min(MOST_PREPARED, max(2, MOST_BYTES // max(1, self._weights_bytes)))
        backend = backend_of(self.target)
        forward = Forward(model, self.target, identity, backend, most)
        forward.changed = lambda: self.changed()
        self._forwards.append(forward)
        return forward

    def figures(self) -> dict[str, Any]:
        """Plain values, for the reports: those of the model, and the worst of its parts."""
        parts = [forward.figures(self.cache) for forward in self._forwards]
        used = [part for part in parts if part.preparations] or parts[:1]
        told = used[0].to_dict()
        for name in ("preparations", "prepare_seconds", "compared"):
            told[name] = sum(getattr(part, name) for part in used)
        worst: Difference | None = None
        for part in used:
            if part.difference is not None and part.difference_in is not None:
                worst = Difference(part.difference, part.difference_in).larger(worst)
        told["difference"] = worst.relative if worst else None
        told["difference_in"] = worst.output if worst else None
        return told

    @property
    def held_bytes(self) -> int:
        """Each preparation holds a copy of the weights."""
        return self._weights_bytes * sum(forward.held_copies for forward in self._forwards)

    def release(self) -> None:
        for forward in self._forwards:
            forward.release()

    def generate(self, plain: Callable[..., Any], options: dict[str, Any]) -> Any:
        """With the cache as long as that works; after that without it, and it is said why."""
        if self.without_cache is None and options.get("use_cache") is not False:
            try:
                found = plain(**options)
            except BackendError as error:
                self.without_cache = str(error)
            else:
                self.cache = WITH_CACHE
                return found
        found = plain(**{**options, "use_cache": False})
        if self.without_cache is not None:
            self.cache = f"forward only, no cache: {self.without_cache}"
        return found


def computed_of(model: Any) -> Computed | None:
    """The backend's side of a model; None for one that torch itself computes."""
    found = getattr(model, ATTRIBUTE, None)
    return found if isinstance(found, Computed) else None


def attach(model: Any, target: Target, identity: ModelIdentity) -> Computed:
    """From now on the model's forward pass is the backend's, until the model is gone."""
    weights = {p.data_ptr(): p.nbytes for p in (*model.parameters(), *model.buffers())}
    computed = Computed(target, sum(weights.values()))
    twin = copy.copy(model)  # with the model's own forward, and the same tensors
    _compute(model, twin, computed.forward_of(twin, identity))
    if hasattr(type(model), "generate"):
        model.generate = _generation(model, computed)
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        _attach_encoder(model, twin, computed, identity)
    setattr(model, ATTRIBUTE, computed)
    weakref.finalize(model, computed.release)
    return computed


def _compute(model: Any, twin: Any, forward: Forward) -> None:
    """Let calls of the model be calls of the backend. Nothing here refers to the model: what
    did would keep it alive."""
    parameters = inspect.signature(twin.forward).parameters
    caches = "use_cache" in parameters

    @functools.wraps(twin.forward)
    def computed(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        given = {name: value for name, value in given.items() if _says_something(name, value)}
        if caches and given.get("use_cache") is None and given.get("past_key_values") is None:
            given["use_cache"] = False  # nobody asked for one
        try:
            found = forward(given)
        except DrawsError as error:
            raise unittest.SkipTest(str(error)) from None
        _keep_cache(given.get("past_key_values"), found)
        return found

    model.forward = computed


def _says_something(name: str, value: Any) -> bool:
    """What is left out by one caller and written out by another is one preparation."""
    return value is not None and not (name == "return_dict" and value is True)


def _keep_cache(given: Any, found: Any) -> None:
    """torch's models write to the cache that they were given, and return it."""
    made = found.get("past_key_values") if isinstance(found, Mapping) else None
    if given is None or made is None:
        return
    inner = ("self_attention_cache", "cross_attention_cache")
    pairs = [(getattr(given, n), getattr(made, n)) for n in inner if hasattr(given, n)]
    for mine, new in pairs or [(given, made)]:
        mine.layers[:] = new.layers
    if pairs:
        given.is_updated = dict(made.is_updated)
    found["past_key_values"] = given


def _generation(model: Any, computed: Computed) -> Callable[..., Any]:
    plain, reference = type(model).generate, weakref.ref(model)

    @functools.wraps(plain)
    def generate(inputs: Any = None, **options: Any) -> Any:
        if inputs is not None:
            options["inputs"] = inputs
        return computed.generate(functools.partial(plain, reference()), options)

    return generate


def _attach_encoder(model: Any, twin: Any, computed: Computed, identity: ModelIdentity) -> None:
    """`generate` runs the encoder by itself, once for each text."""
    encoder = twin.get_encoder()
    if encoder is twin:
        return
    facade, own = copy.copy(encoder), ModelIdentity(**{**vars(identity), "auto_class": "encoder"})
    _compute(facade, encoder, computed.forward_of(encoder, own))

    def get_encoder(modality: str | None = None) -> Any:
        return facade if modality is None else twin.get_encoder(modality)

    model.get_encoder = get_encoder
