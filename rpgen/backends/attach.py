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
from rpgen.backends.account import Account
from rpgen.backends.base import ModelIdentity, NotPreparedError, Target
from rpgen.backends.forward import DrawsError, Forward

ATTRIBUTE = "rpgen_backend"
"""Where a model keeps its `Computed`."""

MOST_PREPARED, MOST_BYTES = 16, 4 * 2**30
"""Of one model at a time; the second is for the weights of all its preparations together."""

WITH_CACHE = "generation with the cache of the exported decoder"


class Computed:
    """The backend's side of one model: its forwards, and what is told of them.

    `changed` is called when a preparation has taken memory. `without_cache` says why a cache
    can't be had: it is of the model, and holds for all files.
    """

    def __init__(self, target: Target, weights_bytes: int) -> None:
        self.target = target
        self.changed: Callable[[], None] = lambda: None
        self.without_cache: str | None = None
        self.account = Account(str(target))
        self._weights_bytes = weights_bytes
        self._forwards: list[Forward] = []

    def forward_of(self, model: Any, identity: ModelIdentity) -> Forward:
        """A forward pass of the model or of a part of it, on the target."""
        forward = Forward(
            model,
            self.target,
            identity,
            backend_of(self.target),
            lambda: self.account,
            part=len(self._forwards),
            most_prepared=min(MOST_PREPARED, max(2, MOST_BYTES // max(1, self._weights_bytes))),
        )
        forward.changed = lambda: self.changed()
        self._forwards.append(forward)
        return forward

    def open_account(self) -> Account:
        """For who has the model from now on. The one before stays as it is."""
        self.account = Account(str(self.target))
        return self.account

    def figures(self) -> dict[str, Any]:
        """Plain values, for the reports: those of who has the model now."""
        return self.account.figures().to_dict()

    @property
    def held_bytes(self) -> int:
        """Each preparation holds a copy of the weights."""
        return self._weights_bytes * sum(forward.held_copies for forward in self._forwards)

    def release(self) -> None:
        for forward in self._forwards:
            forward.release()

    def can_cache(self, run: Callable[[], Any]) -> bool:
        """Whether the model computes with a cache: `run` does so. A model that can't be prepared
        with one is computed without from now on; whatever else goes wrong is raised."""
        if self.without_cache is None:
            try:
                run()
            except NotPreparedError as error:
                self.without_cache = str(error)
        return self.without_cache is None

    def generate(self, plain: Callable[..., Any], options: dict[str, Any]) -> Any:
        """With the cache where that works; otherwise without it, and it is said why."""
        found: list[Any] = []
        if _wants_cache(options):
            known = self.without_cache
            if self.can_cache(lambda: found.append(plain(**options))) and found:
                self.account.cache = WITH_CACHE
                return found[0]
            try:
                written = plain(**{**options, "use_cache": False})
            except NotPreparedError:
                self.without_cache = known  # it isn't the cache
                raise
            self.account.cache = f"forward only, no cache: {self.without_cache}"
            return written
        return plain(**options)


def _wants_cache(options: Mapping[str, Any]) -> bool:
    wish = options.get("use_cache")
    if wish is None:
        wish = getattr(options.get("generation_config"), "use_cache", None)
    return wish is not False


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
    caches, reference = "use_cache" in parameters, weakref.ref(model)

    @functools.wraps(twin.forward)
    def computed(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        given = {name: value for name, value in given.items() if _says_something(name, value)}
        if caches and given.get("use_cache") is None and given.get("past_key_values") is None:
            given["use_cache"] = False  # nobody asked for one
        if (facade := reference()) is not None:
            twin.training = facade.training  # the one thing that the two don't share
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
    names = list(inspect.signature(plain).parameters)[1:]  # without self

    @functools.wraps(plain)
    def generate(*args: Any, **options: Any) -> Any:
        given = {**dict(zip(names, args, strict=False)), **options}
        return computed.generate(functools.partial(plain, reference()), given)

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
