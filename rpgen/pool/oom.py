"""Whether an error means that memory ran out, by its type and the chain of its causes.

Only where a library raises a plain RuntimeError for it (Metal, torch's host allocator, the
vendor libraries) does the message count, by the phrase that library writes.
"""

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class OutOfMemory:
    """What ran out: "cuda", "hip", "xpu", "mps" or "host", and the error that said so."""

    where: str
    error: BaseException


_PHRASES = {
    "MPS backend out of memory": "mps",
    "CUDA out of memory": "cuda",
    "CUDA error: out of memory": "cuda",
    "HIP out of memory": "hip",
    "HIP error: out of memory": "hip",
    "XPU out of memory": "xpu",
    "CUBLAS_STATUS_ALLOC_FAILED": "cuda",
    "CUDNN_STATUS_ALLOC_FAILED": "cuda",
    "HIPBLAS_STATUS_ALLOC_FAILED": "hip",
    "UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY": "xpu",
    "UR_RESULT_ERROR_OUT_OF_RESOURCES": "xpu",
    "DefaultCPUAllocator: can't allocate memory": "host",
    "DefaultCPUAllocator: not enough memory": "host",
    "Cannot allocate memory (os error 12)": "host",
    "Cannot allocate memory (12)": "host",
}
_LONGEST_CHAIN = 50


def out_of_memory(error: BaseException) -> OutOfMemory | None:
    """The first link of the chain that says that memory ran out; None where none does."""
    for link in chain(error):
        where = _where(link)
        if where is not None:
            return OutOfMemory(where, link)
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the members of a group, then what caused them, each once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < _LONGEST_CHAIN:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions)
        following = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if following is not None:
            waiting.append(following)


def _where(error: BaseException) -> str | None:
    torch = sys.modules.get("torch")
    device_error = getattr(torch, "OutOfMemoryError", None)
    if isinstance(device_error, type) and isinstance(error, device_error):
        return _phrase(error) or _default_device(torch)
    if isinstance(error, MemoryError):
        return "host"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "host"
    foreign = type(error).__module__.partition(".")[0] in ("safetensors", "safetensors_rust")
    return _phrase(error) if isinstance(error, (RuntimeError, OSError)) or foreign else None


def _phrase(error: BaseException) -> str | None:
    message = str(error)
    return next((where for phrase, where in _PHRASES.items() if phrase in message), None)


def _default_device(torch: object) -> str:
    version = getattr(torch, "version", None)
    return "hip" if getattr(version, "hip", None) else "cuda"
