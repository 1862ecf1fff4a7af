"""The child of `detect --deep`: a small matrix product on each device of torch, checked.

Run as `python -m rpgen.hardware.kernels [DEVICE...]`, where the devices are those to leave
out. It writes a line of JSON before each device and one after, so that the parent knows which
device a crash or a hang belongs to. All values are whole numbers that even bf16 holds
exactly: a right answer is equal, not close.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

ROWS, INNER, COLUMNS = 48, 16, 32
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
KINDS = ("cpu", "cuda", "xpu", "mps")


def operands() -> tuple[list[list[int]], list[list[int]]]:
    """Two matrices whose product stays below 256 in size."""
    left = [[(3 * row + 5 * column) % 7 - 3 for column in range(INNER)] for row in range(ROWS)]
    right = [[(2 * row + 3 * column) % 9 - 4 for column in range(COLUMNS)] for row in range(INNER)]
    return left, right


def product(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> list[list[int]]:
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, c, strict=True)) for c in columns] for row in left]


def devices(torch: Any, kind: str) -> list[str]:
    """The devices of one kind that torch says it can use."""
    if kind == "cpu":
        return ["cpu"]
    if kind == "mps":
        return ["mps"] if torch.backends.mps.is_available() else []
    runtime = getattr(torch, kind, None)
    if runtime is None or not runtime.is_available():
        return []
    return [f"{kind}:{index}" for index in range(runtime.device_count())]


def compute(torch: Any, device: str) -> dict[str, Any]:
    """The dtypes in which the product came out right, and what was wrong in the others."""
    left, right = operands()
    expected = product(left, right)
    right_in, wrong = [], {}
    for name, torch_name in DTYPES.items():
        dtype = getattr(torch, torch_name)
        try:
            a = torch.tensor(left, dtype=dtype, device=device)
            b = torch.tensor(right, dtype=dtype, device=device)
            values = (a @ b).to("cpu", torch.float32).tolist()
        except (RuntimeError, TypeError, NotImplementedError) as error:
            wrong[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
            continue
        if values == expected:
            right_in.append(name)
        else:
            wrong[name] = "the product is wrong"
    return {"right": right_in, "wrong": wrong}


def describe(torch: Any, device: str) -> dict[str, Any]:
    """Name, memory and capability as torch tells them; None for what it doesn't."""
    kind = device.partition(":")[0]
    if kind not in ("cuda", "xpu"):
        return {"name": None, "total_mb": None, "capability": None}
    properties = getattr(torch, kind).get_device_properties(device)
    capability = None
    if kind == "cuda" and not torch.version.hip:
        capability = [properties.major, properties.minor]
    return {
        "name": properties.name,
        "total_mb": properties.total_memory / 2**20,
        "capability": capability,
    }


def answers(torch: Any, leave_out: Sequence[str]) -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        if kind in leave_out:
            continue
        yield {"event": "start", "device": kind}
        found = devices(torch, kind)
        if not found:
            yield {"event": "none", "device": kind}
        for device in found:
            if device in leave_out and device != kind:
                continue
            yield {"event": "start", "device": device}
            yield {
                "event": "result",
                "device": device,
                "hip": bool(torch.version.hip),
                **compute(torch, device),
                **describe(torch, device),
            }
    yield {"event": "end"}


def main(leave_out: Sequence[str]) -> int:
    print(json.dumps({"event": "start", "device": "torch"}), flush=True)
    try:
        import torch
    except (ImportError, OSError) as error:
        print(json.dumps({"event": "no torch", "reason": str(error)}), flush=True)
        return 1
    torch.set_num_threads(1)
    for answer in answers(torch, leave_out):
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
