"""Several models at once, each in a thread; calls of one model come one after another."""

import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_THREADS = 16


def execute_concurrent(jobs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Run each (model, inputs) and return the results in order.

    Inputs that are a mapping are passed as keywords, a tuple or a list as positions, anything
    else as the one argument. A call that fails gives {success: False, error, error_type}.
    """
    jobs = list(jobs)
    if not jobs:
        return []
    from concurrent.futures import ThreadPoolExecutor

    locks = {id(model): threading.Lock() for model, _ in jobs}
    gradients = _gradients_on()
    threads = min(len(jobs), os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads, thread_name_prefix="rpgen-execute") as executor:
        futures = [
            executor.submit(
                contextvars.copy_context().run, _call, model, inputs, locks[id(model)], gradients
            )
            for model, inputs in jobs
        ]
        return [future.result() for future in futures]


def _call(model: Any, inputs: Any, lock: threading.Lock, gradients: bool) -> Any:
    try:
        with lock, _gradients(gradients):
            if isinstance(inputs, Mapping):
                return model(**inputs)
            if isinstance(inputs, (tuple, list)):
                return model(*inputs)
            return model(inputs)
    except Exception as error:  # noqa: BLE001  a job's failure is its result
        return {"success": False, "error": str(error), "error_type": type(error).__name__}


def _gradients_on() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch.is_grad_enabled()) if torch else True


@contextlib.contextmanager
def _gradients(on: bool) -> Iterator[None]:
    """torch keeps this switch per thread: the caller's choice goes along."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.set_grad_enabled(on):
        yield
