"""What the pool is told of the models that later files will ask for, so that it can look ahead.

Keys are enough to see which model is needed last; how large one is that hasn't been loaded yet
only its checkpoint can tell, and that is in the file. It is read when the pool asks.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpgen.placement.targets import backend_named
from rpgen.run.file_facts import FileFacts, read_facts

if TYPE_CHECKING:
    from rpgen.pool.future import Coming, Tell


def of_file(
    facts: FileFacts, source: Callable[[Any], Any] = lambda checkpoint: checkpoint
) -> "Coming | None":
    """The model that a file will ask for; None where it doesn't say. `source` may put something
    else in the checkpoint's place."""
    if not facts.checkpoint or facts.pool_key is None:
        return None
    from rpgen.models import Checkpoint
    from rpgen.pool.future import Coming

    made = source(Checkpoint(**facts.checkpoint))
    wishes = where_torch_has_it(facts.preferences)
    return Coming(str(facts.family), str(facts.model), made.load_model, wishes)


def where_torch_has_it(preferences: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model that a backend computes lies on the CPU: its size is all that is foreseen."""
    elsewhere = backend_named(str(preferences.get("device") or ""))
    return {**preferences, "device": "cpu"} if elsewhere else preferences


def of_files(paths: Mapping[str, str]) -> "Tell":
    """By the pool's keys, from the files that `paths` names for them."""

    def tell(key: str) -> "Coming | None":
        return of_file(read_facts(Path(paths[key]))) if key in paths else None

    return tell
