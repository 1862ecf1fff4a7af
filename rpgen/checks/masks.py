"""How each way of attention reads a mask.

The fused one gets none where the mask hides nothing more than `is_causal` of the module says;
where a module says otherwise than its model means, it reads another text than the open one.
The open one adds its mask to the scores, and a mask of true and false hides nothing there; the
mask that it is made is of numbers, and read as of true and false it hides the wrong half.
Whether that is why two results differ can be proven: where each is given its mask in full, and
of the kind that it reads, they must agree.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import masking_utils
from transformers.modeling_utils import AttentionInterface

_OPEN = "eager_attention_forward"
_LEFT_AWAY = ("_ignore_causal_mask_sdpa", "_ignore_bidirectional_mask_sdpa")


class Masks:
    """What each attention module of a model was given, run by run."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._names: dict[int, str] = {id(module): name for name, module in model.named_modules()}
        self._code = {type(module).__module__ for module in model.modules()}
        self.without: dict[str, bool] = {}
        self.told: list[str] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Which modules get no mask, and what each says of itself."""

        def watch(attend: Callable[..., Any], module: Any, mask: Any) -> Any:
            if mask is None:
                self.without[self._name(module)] = _is_causal(module)
            return mask

        with _handed_through(watch, self._code):
            yield

    @contextmanager
    def in_full(self, of_truths: bool = False) -> Iterator[None]:
        """None is left away, and open attention adds numbers to its scores. With `of_truths`
        whatever else reads a mask before that finds it of true and false."""

        def give(attend: Callable[..., Any], module: Any, mask: Any) -> Any:
            name = self._name(module)
            if mask is None:
                return None
            causal = self.without.get(name)
            if causal is not None and mask.dtype == torch.bool and bool(mask.all()) == causal:
                self._tell(f"{name}, given no mask, goes by its is_causal = {causal}")
            if mask.dtype == torch.bool and attend.__module__ != _FUSED:
                if not of_truths:
                    self._tell(f"{name} adds a mask of true and false to its scores")
                lowest = torch.finfo(_dtype_of(module)).min
                return torch.zeros_like(mask, dtype=_dtype_of(module)).masked_fill(~mask, lowest)
            return mask

        with ExitStack() as stack:
            for name in _LEFT_AWAY:
                stack.enter_context(_in_place(masking_utils, name, lambda *_, **__: False))
            stack.enter_context(_handed_through(give, self._code))
            if of_truths:
                self._tell("the mask of numbers of open attention is read as of true and false")
                made = masking_utils.ALL_MASK_ATTENTION_FUNCTIONS
                stack.enter_context(_registered(made, "eager", masking_utils.sdpa_mask))
            yield

    def __str__(self) -> str:
        more = f" (and {len(self.told) - 1} more)" if len(self.told) > 1 else ""
        return f"{self.told[0]}{more}" if self.told else ""

    def _name(self, module: Any) -> str:
        return self._names.get(id(module)) or type(module).__name__

    def _tell(self, words: str) -> None:
        if words not in self.told:
            self.told.append(words)


_FUSED = "transformers.integrations.sdpa_attention"


def _is_causal(module: Any) -> bool:
    return bool(getattr(module, "is_causal", True))


def _dtype_of(module: torch.nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters()), torch.float32)


@contextmanager
def _handed_through(
    given: Callable[[Callable[..., Any], Any, Any], Any], code: set[str]
) -> Iterator[None]:
    """Each attention function gets the mask that `given` makes of its own: one that is asked
    for by name, the default beside that, and the open one of the models' own `code`."""
    ask, item = AttentionInterface.get_interface, AttentionInterface.__getitem__

    def get_interface(self: Any, implementation: str, default: Callable[..., Any]) -> Any:
        return _wrapped(ask(self, implementation, default), given)

    def getitem(self: Any, implementation: str) -> Any:
        return _wrapped(item(self, implementation), given)

    with ExitStack() as stack:
        stack.enter_context(_in_place(AttentionInterface, "get_interface", get_interface))
        stack.enter_context(_in_place(AttentionInterface, "__getitem__", getitem))
        for module in filter(None, map(sys.modules.get, sorted(code))):
            if (attend := vars(module).get(_OPEN)) is not None:
                stack.enter_context(_in_place(module, _OPEN, _wrapped(attend, given)))
        yield


def _wrapped(
    attend: Callable[..., Any], given: Callable[[Callable[..., Any], Any, Any], Any]
) -> Callable[..., Any]:
    if getattr(attend, "rpgen_gives", None) is given:
        return attend

    @functools.wraps(attend)
    def attention(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **more: Any
    ) -> Any:
        return attend(module, query, key, value, given(attend, module, attention_mask), **more)

    attention.rpgen_gives = given  # type: ignore[attr-defined]
    return attention


@contextmanager
def _registered(functions: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = functions[name]
    functions[name] = function
    try:
        yield
    finally:
        functions[name] = before


@contextmanager
def _in_place(owner: Any, name: str, value: Any) -> Iterator[None]:
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
