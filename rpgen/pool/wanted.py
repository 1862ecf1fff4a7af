"""A request for a model, read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rpgen.placement.choose import Placement
from rpgen.placement.estimate import Needs
from rpgen.placement.preferences import Preferences
from rpgen.pool.entry import Entry, Identity
from rpgen.pool.keys import source_of
from rpgen.pool.on_target import OPTION, on_option


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `identity` has no device and dtype yet: they are to be decided.

    `kind` is what is known for nothing, `needs` has the size too: that may build the model on
    the meta device, so it is worked out on a miss only, inside the gate.
    """

    identity: Identity
    constructor: Callable[..., Any] | None
    preferences: Preferences
    kind: Callable[[], Needs]
    needs: Callable[[], Needs]

    def placed(self, placement: Placement) -> Identity:
        """On the CPU a source that isn't asked for a dtype gives fp32; say so at once. One that
        is split is another thing than the whole on the device where it begins."""
        opaque = source_of(self.constructor) is None
        dtype = placement.dtype if opaque else placement.loaded_as
        split = placement.split
        device = f"split {str(split).replace(', ', '+')}" if split else placement.device
        return replace(self.identity, device=device, dtype=dtype)

    def accepts(self, entry: Entry) -> bool:
        """Whether an entry will do for somebody who can't make another."""
        device, precision = self.preferences.device, self.preferences.precision
        where = entry.home or entry.size.device or "cpu"
        kind, _, index = where.partition(":")
        there = device is None or (
            str(device.backend) == kind
            and str(device.index if device.index is not None else index) == index
        )
        asked = dict(on_option(self.preferences.target, ())).get(OPTION)
        computed_there = dict(entry.identity.options).get(OPTION) == asked
        return there and computed_there and precision in (None, entry.size.dtype)

    @property
    def names_device(self) -> bool:
        return self.preferences.device is not None

    @property
    def asked_dtype(self) -> bool:
        """Whether an opaque constructor's model is to be converted: only on somebody's wish."""
        wishes = self.preferences
        return bool(wishes.precision or wishes.mixed_precision or wishes.force_low_memory)
