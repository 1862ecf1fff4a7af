"""The pool: one instance of everything, shared by whoever asks.

This file has the surface, and the hit, which is a lookup under a lock. What happens on a miss
is in `obtain`, who has to go in `eviction` and `admission`, and how an entry lives in design.md.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rpgen.errors import UsageError
from rpgen.families import Classification
from rpgen.hardware.types import HardwareSnapshot
from rpgen.placement.matrix import GUIDE, Matrix
from rpgen.pool import low_memory
from rpgen.pool.admission import Admission
from rpgen.pool.custody import Custody
from rpgen.pool.entry import Identity, Kind, Use
from rpgen.pool.eviction import too_old
from rpgen.pool.fetch import Fetch, hit
from rpgen.pool.future import Future, Tell
from rpgen.pool.looking import Looking
from rpgen.pool.low_memory import LowMemory
from rpgen.pool.memory import HOST, Budget, FreeMemory, HostFigures, Reservations, read_free
from rpgen.pool.monitor import Monitor
from rpgen.pool.moving import Mover
from rpgen.pool.obtain import Obtain
from rpgen.pool.owner import Owner, Owners
from rpgen.pool.peaks import PeakStore, users_store
from rpgen.pool.reading import Reader, read_device_wish
from rpgen.pool.recall import Recall
from rpgen.pool.surroundings import Surroundings
from rpgen.pool.table import Table, Watcher
from rpgen.pool.telling import Telling

logger = logging.getLogger("rpgen.pool")


class ResourcePool(Telling):
    """Models, tokenizers and anything else, made once and kept while memory allows.

    Thread-safe. A constructor never runs under a lock, and a hit never waits for a load.
    The parameters are for tests and for other machines than this one: how to look at the
    hardware and its memory, the clock, budgets in MB by device, and the store of measured peaks.
    """

    def __init__(
        self,
        *,
        snapshot: Callable[[], HardwareSnapshot] | None = None,
        free_memory: FreeMemory | None = None,
        host: Callable[[], HostFigures] | None = None,
        classify: Callable[[str], Classification | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        budgets_mb: Mapping[str, float] | None = None,
        matrix: Matrix = GUIDE,
        peaks: PeakStore | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._table = Table(clock)
        self._requests = self._table.requests
        self._counters = self._table.counters
        self._around = Surroundings(snapshot, host, classify)
        self._reservations = Reservations()
        budget = Budget(free_memory or read_free, self._reservations, budgets_mb)
        self._future = Future(self._table, lambda coming: self._fetch.foretell(coming))
        self._admission = Admission(
            self._table,
            self._lock,
            budget,
            self._reservations,
            self._around.snapshot,
            matrix,
            self._future,
        )
        self._obtain = Obtain(self._table, self._lock, self._admission)
        self._recall = Recall(
            peaks or users_store(), self._table, self._lock, self._around.snapshot
        )
        self._mover = Mover(self._table, self._lock, self._admission.free_idle)
        self._low_memory = LowMemory()
        self._owners = Owners()
        self._custody = Custody(
            self._table,
            self._lock,
            self._owners,
            self._low_memory,
            self._mover,
            lambda: budget.free_mb(HOST, 0.0),
        )
        self._fetch = Fetch(
            self._table,
            self._lock,
            Reader(self._around.classify, matrix, self._recall),
            self._obtain,
            self._mover,
            self._custody,
        )
        looking = Looking(self._table, self._lock, clock, self._around, self._low_memory)
        super().__init__(looking, self._around)
        self.resources = self._looking.values(Kind.RESOURCE)
        self.models = self._looking.values(Kind.MODEL)
        self.tokenizers = self._looking.values(Kind.TOKENIZER)
        self._stats = self._looking.entries()
        self.monitor = Monitor(self.cleanup_unused_resources, self._is_short, self._around.taken_mb)
        self.look_at_memory()

    # Getting things

    def get_resource(
        self,
        resource_type: str,
        resource_id: str | None = None,
        constructor: Callable[[], Any] | None = None,
    ) -> Any:
        """The resource, made by `constructor` if it isn't there; None only without either."""
        request = (resource_type, resource_id)
        owner = self._owners.current() if self._owners.active else None
        with self._lock:
            entry = self._requests.get(request)
            if entry is not None:
                self._counters.hits += 1
                entry.hits += 1
                entry.last_used = self._clock()
                if owner is not None and entry not in owner.held:
                    self._custody.lease_to(owner, hit(entry, request))
                return entry.value
        if constructor is None:
            return self._count_miss()
        identity = Identity(Kind.RESOURCE, resource_type, resource_id)
        return self._custody.hand_over(self._fetch.plain(identity, constructor, request))

    def get_tokenizer(
        self, model_type: str, model_name: str, constructor: Callable[[], Any] | None = None
    ) -> Any:
        """The tokenizer; as `get_resource`, with a source's weights and revision told apart."""
        request = (model_type, model_name, self._fetch.options.of(constructor))
        owner = self._owners.current() if self._owners.active else None
        with self._lock:
            entry = self._requests.get(request)
            if entry is None and constructor is None:
                entry = next(iter(self._table.named(Kind.TOKENIZER, model_type, model_name)), None)
            if entry is not None:
                self._counters.hits += 1
                self._counters.loads_avoided += 1
                entry.hits += 1
                entry.last_used = self._clock()
                if owner is not None and entry not in owner.held:
                    self._custody.lease_to(owner, hit(entry, request))
                return entry.value
        if constructor is None:
            return self._count_miss()
        identity = Identity(Kind.TOKENIZER, model_type, model_name, options=request[2])
        return self._custody.hand_over(self._fetch.plain(identity, constructor, request))

    get_processor = get_tokenizer
    """Of images, sounds or all kinds together: what belongs to a model as a tokenizer does."""

    def get_model(
        self,
        model_type: str,
        model_name: str,
        constructor: Callable[..., Any] | None = None,
        hardware_preferences: Mapping[str, Any] | None = None,
    ) -> Any:
        """The model on the device that was decided for it, in eval mode or as it was made.

        `constructor` takes no arguments, or is a bound method of a checkpoint, which is called
        with device and dtype. Its error is raised as it is. None only where there is neither
        an entry nor a constructor.
        """
        request = self._fetch.request(model_type, model_name, constructor, hardware_preferences)
        owner = self._owners.current() if self._owners.active else None
        with self._lock:
            entry = self._requests.get(request)
            if entry is not None and not entry.moving and entry.home is None:
                self._counters.hits += 1
                self._counters.loads_avoided += 1
                entry.hits += 1
                entry.last_used = self._clock()
                if owner is not None and entry not in owner.held:
                    self._custody.lease_to(owner, hit(entry, request))
                return entry.value
        pinned = self._fetch.model(request, constructor, hardware_preferences)
        return None if pinned is None else self._custody.hand_over(pinned)

    @contextlib.contextmanager
    def lease(
        self,
        model_type: str,
        model_name: str,
        constructor: Callable[..., Any] | None = None,
        hardware_preferences: Mapping[str, Any] | None = None,
    ) -> Iterator[Any]:
        """The model, in use until the block is left: it is not evicted, cleaned or moved."""
        request = self._fetch.request(model_type, model_name, constructor, hardware_preferences)
        pinned = self._fetch.model(request, constructor, hardware_preferences)
        if pinned is None:
            raise UsageError(f"The pool has no {model_type}:{model_name}; pass a constructor")
        with self._lock:
            pinned.entry.leases += 1
        try:
            yield self._custody.hand_over(pinned, to_owner=False)
        finally:
            self._custody.release(pinned.entry)

    @contextlib.contextmanager
    def owner(self, name: str) -> Iterator[Owner]:
        """Let everything got in this block be in use until the block is left."""
        self._custody.begin(name)
        with self._owners.owning(name) as owner:
            yield owner

    def uses(self, owner: str) -> tuple[Use, ...]:
        """What an owner got, in order; also after it has ended."""
        return self._custody.uses(owner)

    def note_peak(self, owner: str, peak_mb: float) -> bool:
        """What an owner took in all: the next prediction for its model, if it used just one."""
        return self._recall.note(self.uses(owner), peak_mb)

    def expect(self, keys: Sequence[str], tell: Tell | None = None) -> None:
        """What will be asked for from here on (`type:name`), so that eviction can look ahead.

        `tell` says of a key how it will be asked for, so that its size can be predicted too; it
        is called when something has to go.
        """
        with self._lock:
            self._future.expect(keys, tell)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with each entry that comes, and with each that goes and why it does.

        It is called under the pool's lock, so it must be quick and must not ask the pool.
        """
        with self._lock:
            self._table.watchers.append(watcher)

    # Letting go

    def cleanup_unused_resources(self, max_age_minutes: float = 30) -> int:
        """Let go of what is idle and older; returns how many went.

        What is expected to be asked for again stays while memory is plenty, unless the age is 0.
        """
        oldest = 60 * self._low_memory.cleanup_minutes(max_age_minutes)
        pressed = self._around.under_pressure()
        with self._lock:
            found = self._table.candidates(lambda device: device)
            old = too_old(
                found,
                self._clock(),
                oldest,
                under_pressure=pressed,
                large=low_memory.LARGE_BYTES,
                keep_planned=oldest > 0 and not pressed and not self.low_memory_mode,
            )
            leaving = self._table.removed((candidate.key for candidate in old), "idle for too long")
            self._counters.cleanup_runs += 1
        return self._custody.let_go(leaving)

    def discard(self, resource_key: str) -> bool:
        """Let go of one entry because it is no longer what was loaded; False where there is
        none. What is in use goes with its last release."""
        with self._lock:
            entry = self._table.by_key(resource_key)
            if entry is None:
                return False
            entry.doomed = entry.busy
            leaving = [] if entry.busy else [self._table.remove(entry, "it was discarded")]
        self._custody.let_go(leaving)
        return True

    def clear(self) -> None:
        """Let go of everything; what is in use goes with its last release.

        An owner that calls this says that it is done: its own leases end. Those of other
        owners and of `lease` blocks hold.
        """
        self._obtain.forget_failures()
        with self._lock:
            leaving = []
            for entry in self._table:
                if entry.busy:
                    entry.doomed = True
                else:
                    leaving.append(self._table.remove(entry, "the pool was cleared"))
        self._custody.let_go(leaving)
        owner = self._owners.current()
        if owner is not None:
            owner.let_go()

    def move_model_to_device(self, model_type: str, model_name: str, device: str) -> bool:
        """Move the model, its key and its accounting.

        False where the pool has no such model, or somebody else is using it.
        """
        owner = self._owners.current()
        held = owner.held if owner else {}
        return self._mover.move_named(model_type, model_name, read_device_wish(device), held)

    # Looking

    def get_recommended_device(self, model_type: str, model_family: str | None = None) -> str:
        """The device that a model of this type would get now, its size unknown."""
        preferences = {"model_family": model_family or model_type}
        wanted = self._fetch.wanted(model_type, preferences)
        return self._admission.peek(wanted.kind(), wanted.preferences).device

    @property
    def low_memory_mode(self) -> bool:
        return self._low_memory.on

    def check_memory_pressure(self) -> bool:
        """Whether the host is short of memory; may switch low-memory mode on."""
        pressed = self._is_short()
        if pressed:
            logger.warning("Memory is short: %.1f MB available", self.available_memory_mb)
        return pressed

    def _is_short(self) -> bool:
        self.look_at_memory()
        return self._around.under_pressure()

    def look_at_memory(self) -> None:
        self._low_memory.look(self._around.host_or_none())

    def enable_low_memory_mode(self) -> None:
        """Shorter clean-up, large models to the CPU after use, fewer idle things kept."""
        self._low_memory.enable("it was asked for")
        self._custody.keep_to_limits()

    def disable_low_memory_mode(self) -> None:
        self._low_memory.disable()

    def _count_miss(self) -> None:
        with self._lock:
            self._counters.misses += 1
