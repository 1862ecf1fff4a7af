"""Workers on the machines of a Ray cluster: one actor for each device slot.

The actor holds a worker process as the local engine starts it, so a crash costs there what it
costs here. Its journal comes over piece by piece into that of the run. The project's folder
and the models have to be at the same place on every machine.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rpgen.errors import MissingPackageError, WorkerError
from rpgen.run.channel import Command, Settings, encode
from rpgen.run.engines.interface import LostWorkerError, Slot
from rpgen.run.engines.local import importable
from rpgen.run.engines.place import Place, Told

START_SECONDS = 120.0
ANSWER_SECONDS = 60.0
KNOCK_SECONDS = 5.0
_PASSED_ON = ("RPGEN_", "HF_", "TEST_HARDWARE_", "RESOURCE_POOL_", "TRANSFORMERS_", "TOKENIZERS_")


def slots_of(
    nodes: Sequence[Mapping[str, Any]], workers: int | None
) -> tuple[tuple[str, bool], ...]:
    """(node, has a GPU of its own) for each slot: one for each GPU, one for a node without.

    With a number of workers they are dealt out in turn, and from the start again.
    """
    alive = [node for node in nodes if node.get("Alive")]
    places = []
    for node in alive:
        gpus = int(node.get("Resources", {}).get("GPU", 0))
        places += [(str(node["NodeID"]), gpus > 0)] * max(1, gpus)
    if workers is None or not places:
        return tuple(places)
    return tuple(places[number % len(places)] for number in range(workers))


class RayWorker:
    """A worker that an actor holds. Answers are waited for, news is not."""

    def __init__(self, ray: Any, actor: Any, settings: Settings, pid: int) -> None:
        self.pid = pid
        self._ray = ray
        self._actor = actor
        self._journal = Path(settings.journal)
        self._told = Told(b"", None, None)
        self._ended = False
        self._news = actor.poll.remote()

    def send(self, command: Command) -> None:
        if not self._ended:
            self._actor.send.remote(encode(command))

    def exit_status(self) -> int | None:
        if not self._ended and self._told.status is None:
            ready, _ = self._ray.wait([self._news], timeout=0)
            if ready:
                self._take(self._answer(self._news))
                if self._told.status is None:
                    self._news = self._actor.poll.remote()
        return self._told.status

    def _take(self, told: Told) -> None:
        if told.lines:
            with self._journal.open("ab", buffering=0) as file:
                file.write(told.lines)
        self._told = told

    def _answer(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference, timeout=ANSWER_SECONDS)
        except self._ray.exceptions.RayError as error:
            self._ended = True
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise LostWorkerError(f"the actor of the worker is gone ({first})") from error

    def _ask(self, method: str, *arguments: Any) -> Any:
        return self._answer(getattr(self._actor, method).remote(*arguments))

    def interrupt(self) -> None:
        self._ask("interrupt")

    def show_stacks(self) -> str:
        return str(self._ask("show_stacks"))

    def stacks(self) -> str:
        return str(self._ask("stacks"))

    def memory_mb(self) -> float | None:
        return self._told.memory_mb

    def oom_kills(self) -> int | None:
        kills: int | None = self._ask("oom_kills")
        return kills

    def printed_since(self, begin: int) -> str | None:
        printed: str | None = self._ask("printed_since", begin)
        return printed

    def last_words(self) -> str:
        return str(self._ask("last_words"))

    def bound_log(self) -> None:
        """The actor sees to that whenever it tells the news."""

    def end(self, patience: float) -> None:
        if self._ended:
            return
        if self._told.status is None:
            self._take(self._answer(self._news))
        self._take(self._ask("end", patience))
        self._ended = True


class RayEngine:
    """`workers` None: one for each device slot of the cluster."""

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        self._ray = _connect(address)
        found = slots_of(self._ray.nodes(), workers)
        if not found:
            raise WorkerError("the Ray cluster has no node that is alive")
        self._places = dict(enumerate(found))
        self._actors: dict[int, Any] = {}

    def slots(self) -> tuple[Slot, ...]:
        return tuple(Slot(number, f"node {node[:8]}") for number, (node, _) in self._places.items())

    def start(self, settings: Settings, environment: Mapping[str, str], slot: Slot) -> RayWorker:
        """`LostWorkerError` where this slot can't be had any more, but others can."""
        try:
            return self._start(settings, environment, slot)
        except self._ray.exceptions.RayError as error:
            self._actors.pop(slot.number, None)
            self._places.pop(slot.number, None)
            first = (str(error).strip() or type(error).__name__).splitlines()[-1]
            if not self._places:
                raise WorkerError(f"no worker can be started on Ray: {first}") from error
            raise LostWorkerError(f"{slot.name} takes no worker ({first})") from error

    def _start(self, settings: Settings, environment: Mapping[str, str], slot: Slot) -> RayWorker:
        passed = {
            name: value
            for name, value in importable(environment).items()
            if name.startswith(_PASSED_ON) or name == "PYTHONPATH"
        }
        for fresh in (False, True):
            actor = self._actor(slot.number, fresh)
            try:
                starting = actor.start.remote(settings.to_json(), passed)
                pid = self._ray.get(starting, timeout=START_SECONDS)
                return RayWorker(self._ray, actor, settings, pid)
            except self._ray.exceptions.RayActorError:
                if fresh:
                    raise
        raise AssertionError("the second try returns or raises")

    def _actor(self, number: int, fresh: bool) -> Any:
        """The slot's actor: kept from worker to worker, made anew where it was lost."""
        if fresh or number not in self._actors:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            node, has_gpu = self._places[number]
            options = {
                "num_cpus": 0,
                "num_gpus": 1 if has_gpu else 0,
                "max_restarts": 0,
                "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=True),
            }
            self._actors[number] = (
                self._ray.remote(Place).options(**options).remote(str(Path.cwd()))
            )
        return self._actors[number]

    def close(self) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._ray.shutdown()


def _connect(address: str | None) -> Any:
    """Ray, connected. Nothing is told to anybody about the use of it."""
    for name, value in (
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"),
    ):
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError(
            "--engine ray needs a package: pip install 'rpgen[ray]'"
        ) from error
    _knock(address or os.environ.get("RAY_ADDRESS"))
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None and "RAY_ADDRESS" not in os.environ:
        options["include_dashboard"] = False
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WorkerError(f"Ray can't be reached at {where}: {first}") from error
    return ray


def _knock(address: str | None) -> None:
    """Ray itself would try for minutes where nobody answers."""
    import socket

    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", or none at all: Ray knows more than we do
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        raise WorkerError(
            f"Ray can't be reached at {address}: {error.strerror or error}"
        ) from error
