"""The grounds on which a check may be left out of an architecture's file: a closed list."""

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """Why a check does not apply to a type."""

    UNDECLARED = "the model has no such output"
    EMPTY = "transformers declares this output and leaves it empty"
    NO_WEIGHTS = "what is given as attention is something else"
    SHARE = "only a share of the attention is given"
    OWN_COUNT = "states are counted otherwise than layers"
    RESHAPED = "layers change the shape of the states"
    BREAKS = "asked for hidden states once, the model fails from then on"
    ONE_TYPE = "a part of it computes in one type only"
    CHOICE = "a choice between alternatives falls otherwise"
    SENSITIVE = "rounding its weights alone changes the result as far"
    DETACHED = "the model's own code cuts the gradient off"
    UNUSED = "no output of this call depends on it"
    IN_PLACE = "the model changes in place what its gradient needs"
    REFUSED = "the model itself refuses"
    ONE_WAY = "there is nothing to compare with"
    MASKS = "ways of attention read one mask differently"
    DRAWS = "the model draws random numbers"
    PACKED = "outputs have no entry for each row"
    BOTH_WAYS = "the model reads in both directions"
    UNTOLD = "it counts positions from 0 where it is not told them"
    ANEW = "several tokens at once begin its state anew"
    UNMASKED = "padding is not kept from it"
    JOINED = "it joins neighbouring places of a text"
    CONFIGURATION = "the configuration does not come back as it was saved"

    @property
    def of_weights(self) -> bool:
        """Whether it holds for those numbers that nobody trained, and for no others."""
        return self in (Ground.CHOICE, Ground.SENSITIVE)


_OF_THE_CODE = ("attention", "cache", "gradients")
"""Checks that a type stands or not whatever its weights are, on any ground: a gradient that ends
at a choice ends there with all weights."""


def is_of_code(check: str, ground: Ground | None) -> bool:
    """Whether a check that is left out on a ground is so with any weights."""
    return check in _OF_THE_CODE or not (ground is None or ground.of_weights)


@dataclass(frozen=True)
class Explained:
    ground: Ground
    said: str

    def __str__(self) -> str:
        return f"{self.ground}: {self.said}"


def ground_of(text: str) -> Ground | None:
    """The ground of a reason as it is stored."""
    return next((ground for ground in Ground if text.startswith(f"{ground}: ")), None)
