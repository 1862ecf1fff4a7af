"""The entries and the names they go by. Every method is called under the pool's lock.

One entry has one public key, one or more identities (what it was asked to be and what it
turned out to be), and any number of requests that were decided to mean it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from rpgen.pool.cleanup import Leaving
from rpgen.pool.entry import Asked, Entry, Identity, Kind, Loaded
from rpgen.pool.eviction import Candidate


@dataclass
class Counters:
    """What happened so far. A waiter of somebody else's load counts as a hit."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    cleanup_runs: int = 0
    removed: int = 0
    freed_mb: float = 0.0
    load_seconds: float = 0.0
    loads_avoided: int = 0


_PLAINLY = Asked()

Watcher = Callable[[Entry, str | None], None]
"""Told of each entry that comes (None) and of each that goes (why), under the pool's lock."""


class Table:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys: dict[str, Entry] = {}
        self._identities: dict[Identity, Entry] = {}
        self.requests: dict[Hashable, Entry] = {}
        self.counters = Counters()
        self.plan: tuple[str, ...] = ()
        self.watchers: list[Watcher] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._keys.values()))

    def __len__(self) -> int:
        return len(self._keys)

    def by_key(self, key: str) -> Entry | None:
        return self._keys.get(key)

    def by_identity(self, identity: Identity) -> Entry | None:
        return self._identities.get(identity)

    def named(self, kind: Kind, type_: str, name: str | None) -> list[Entry]:
        """Every instance of one thing, the one used last first."""
        wanted = (kind, type_, name)
        found = [e for e in self if (e.identity.kind, e.identity.type, e.identity.name) == wanted]
        return sorted(found, key=lambda e: -e.last_used)

    def insert(self, identity: Identity, loaded: Loaded) -> Entry:
        now = self._clock()
        entry = Entry(
            identity=identity,
            key=self._free_key(identity),
            loaded=replace(loaded, value=None),  # the value has one home: the entry
            value=loaded.value,
            created=now,
            last_used=now,
            size=loaded.size,
        )
        self._keys[entry.key] = entry
        self.alias(entry, identity)
        for watcher in self.watchers:
            watcher(entry, None)
        return entry

    def need(self, entry: Entry, other: Entry) -> None:
        """From now on `other` is in use for as long as `entry` is in the books."""
        entry.needs.append(other)
        other.leases += 1

    def alias(self, entry: Entry, identity: Identity) -> None:
        """Let an identity mean this entry, unless it means another one already."""
        if self._identities.setdefault(identity, entry) is entry:
            entry.identities.add(identity)

    def remember(self, entry: Entry, request: Hashable, asked: Asked = _PLAINLY) -> None:
        """From now on this request means this entry, for as long as the entry lives."""
        self.requests[request] = entry
        entry.requests[request] = asked

    def rename(self, entry: Entry, identity: Identity) -> None:
        """Give an entry another identity: it was moved. Requests that named the old device
        no longer mean it."""
        for request in [r for r, asked in entry.requests.items() if asked.names_device]:
            del entry.requests[request]
            if self.requests.get(request) is entry:
                del self.requests[request]
        for old in entry.identities:
            del self._identities[old]
        entry.identities.clear()
        del self._keys[entry.key]
        entry.identity = identity
        entry.key = self._free_key(identity)
        self._keys[entry.key] = entry
        self.alias(entry, identity)

    def unname(self, entry: Entry) -> None:
        """Let no request find this entry any more; it stays in the books while it lives."""
        for identity in entry.identities:
            del self._identities[identity]
        for request in entry.requests:
            if self.requests.get(request) is entry:
                del self.requests[request]
        entry.identities.clear()
        entry.requests.clear()

    def remove(self, entry: Entry, why: str) -> Leaving:
        """Take an entry out. The value moves into what is returned: nothing else holds it."""
        for watcher in self.watchers:
            watcher(entry, why)
        del self._keys[entry.key]
        self.unname(entry)
        entry.live = False
        for other in entry.needs:
            other.leases -= 1
            other.last_used = max(other.last_used, entry.last_used)
        entry.needs.clear()
        leaving = Leaving(
            entry.key,
            entry.value,
            entry.size.total,
            dict(entry.size.by_device),
            entry.loaded.close,
        )
        entry.value = None
        return leaving

    def removed(self, keys: Iterable[str], why: str) -> list[Leaving]:
        """Take out what is still there of these keys."""
        entries = [self._keys.get(key) for key in keys]
        return [self.remove(entry, why) for entry in entries if entry is not None]

    def touched(self, entry: Entry, hit: bool) -> None:
        """Somebody got this entry now, or let go of it."""
        entry.last_used = self._clock()
        if hit:
            entry.hits += 1
            self.counters.hits += 1
            self.counters.loads_avoided += entry.identity.kind is not Kind.RESOURCE

    def candidates(self, domain_of: Callable[[str], str]) -> list[Candidate]:
        """The entries as eviction sees them, those in `moving` counted as busy."""
        distance = {key: place for place, key in reversed(tuple(enumerate(self.plan)))}
        return [
            Candidate(
                key=entry.key,
                domain=domain_of(entry.size.device or "cpu"),
                size=_size_in(entry, domain_of),
                last_used=entry.last_used,
                next_use=distance.get(entry.identity.plain_key),
                busy=entry.busy,
                asked_as=entry.identity.plain_key,
            )
            for entry in self
        ]

    def held_mb(self, domain: str, domain_of: Callable[[str], str]) -> float:
        """What our own entries take in a domain."""
        return sum(
            size / 2**20
            for entry in self
            for device, size in entry.size.by_device.items()
            if domain_of(device) == domain
        )

    def _free_key(self, identity: Identity) -> str:
        """The guide's key for the first instance, a longer one for each further one."""
        for key in (identity.plain_key, identity.full_key):
            if key not in self._keys:
                return key
        number = 2
        while f"{identity.full_key}#{number}" in self._keys:
            number += 1
        return f"{identity.full_key}#{number}"


def _size_in(entry: Entry, domain_of: Callable[[str], str]) -> int:
    """What it takes in the memory where most of it lies: a split model lies in several."""
    size = entry.size
    domain = domain_of(size.device or "cpu")
    if len(size.by_device) < 2:
        return size.total
    return sum(part for device, part in size.by_device.items() if domain_of(device) == domain)
