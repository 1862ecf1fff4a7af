"""The child of `detect --deep` for backends: a small matrix product on each target, checked.

Run as `python -m rpgen.backends.proof TARGET...`. It writes a line of JSON after each target. All
values are whole numbers, so a right answer is equal, not close.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rpgen.backends import backend_of
from rpgen.backends.base import BackendError, ModelIdentity, Target, first_line, parse_target
from rpgen.backends.call import flat_call
from rpgen.hardware.kernels import operands, product


def proof(target: Target) -> dict[str, Any]:
    """What a backend says of a target, and what it computes there."""
    backend = backend_of(target)
    evidence = backend.probe(target)
    told = {"remedy": evidence.remedy or "", "software": evidence.software}
    if not evidence.available and not evidence.software:
        return {**told, "ok": False, "detail": evidence.reason}
    left, right = operands()
    model, inputs = _model(right), {"input": _tensor(left)}
    try:
        prepared = backend.prepare(
            flat_call(model, inputs), inputs, target, ModelIdentity("a small product")
        )
        (found,) = prepared.run(inputs).values()
        described = prepared.describe()
        prepared.release()
    except BackendError as error:
        return {**told, "ok": False, "detail": first_line(error)}
    if found.tolist() != product(left, right):
        return {**told, "ok": False, "detail": "a matrix product came out wrong"}
    by = f"{described.computed_by} on {described.device}"
    words = f"a matrix product came out right in {described.precision} ({by})"
    return {**told, "ok": True, "detail": words, "software": described.software}


def _tensor(values: list[list[int]]) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float32)


def _model(right: list[list[int]]) -> Any:
    import torch

    layer = torch.nn.Linear(len(right), len(right[0]), bias=False)
    with torch.no_grad():
        layer.weight.copy_(_tensor(right).T)
    return layer.eval()


def main(names: Sequence[str]) -> int:
    for name in names:
        target = parse_target(name)
        assert target is not None, name
        print(json.dumps({"target": name, **proof(target)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
