"""Parts of a model that don't fit what others give them: tables of ids, widths of heads, codes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_HEADS = "num_attention_heads"
_CODEBOOKS = "num_codebooks"


def longer_table(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, int]]:
    """One part reads the ids that another writes: with as large a vocabulary as the largest."""
    rows = [getattr(each, "num_embeddings", None) for each in _modules(error)]
    sizes = {path: vars(node).get("vocab_size") for path, node in tree.items()}
    known = {path: size for path, size in sizes.items() if type(size) is int}
    largest = max(known.values(), default=0)
    for path, size in known.items():
        if size in rows and size < largest:
            yield f"{path}.vocab_size" if path else "vocab_size", largest


def fewer_heads(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, int]]:
    """A head is narrower than what is rotated of it ("size of tensor a (8) must match the size
    of tensor b (32) at dimension 3"): fewer and wider ones, where the error was first."""
    found = re.search(r"tensor a \((\d+)\) must match .* b \((\d+)\) .* dimension 3", str(error))
    if found is None:
        return
    narrow, wide = sorted(int(each) for each in found.groups())
    failed = [_figures(getattr(each, "config", None)) for each in _modules(error)]
    for path, node in sorted(tree.items(), key=lambda item: _figures(item[1]) not in failed):
        heads, width = (vars(node).get(name) for name in (_HEADS, "hidden_size"))
        if not isinstance(heads, int) or not isinstance(width, int) or heads * narrow != width:
            continue
        if width % wide == 0:
            yield f"{path}.{_HEADS}" if path else _HEADS, width // wide


def fewer_codebooks(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, int]]:
    """One part reads more codes of a sound than another writes: "shape '[8, 50]' is invalid for
    input of size 200" speaks of half as many."""
    found = re.search(r"shape '\[(\d+), (\d+)\]' is invalid for input of size (\d+)", str(error))
    if found is None:
        return
    rows, places, values = (int(each) for each in found.groups())
    for path, node in tree.items():
        books = vars(node).get(_CODEBOOKS)
        if isinstance(books, int) and 0 < values < rows * places:
            fewer, rest = divmod(books * values, rows * places)
            if fewer and not rest:
                yield f"{path}.{_CODEBOOKS}" if path else _CODEBOOKS, fewer


def _modules(error: BaseException) -> Iterator[Any]:
    """Those in whose methods the error was raised, the outermost first."""
    trace = error.__traceback__
    while trace is not None:
        if "self" in trace.tb_frame.f_locals:
            yield trace.tb_frame.f_locals["self"]
        trace = trace.tb_next


def _figures(config: Any) -> dict[str, int]:
    """What tells a configuration from its neighbours; a model has a copy of its own."""
    return {key: value for key, value in getattr(config, "__dict__", {}).items()
            if type(value) is int}  # fmt: skip
