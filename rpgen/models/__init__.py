"""Models, tokenizers and processors: what a reference means, and how each is loaded.

`from rpgen.models import Checkpoint` imports neither torch nor transformers.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpgen.models.checkpoint import Checkpoint as Checkpoint

__all__ = ["Checkpoint"]


def __getattr__(name: str) -> Any:
    if name == "Checkpoint":
        from rpgen.models.checkpoint import Checkpoint

        return Checkpoint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
