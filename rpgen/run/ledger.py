"""The journal as the supervisor sees it: writes into it, follows it, and knows what it says.

The supervisor's own events come back through the same tail as the workers', so that there is
no second way by which anything gets into a report.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from rpgen.run import events
from rpgen.run.journal import Journal, Tail
from rpgen.run.outcomes import BAD
from rpgen.run.results import Fold
from rpgen.run.rounds import Ran, last_turn

Listener = Callable[[events.Event, Fold], None]


class Ledger:
    def __init__(self, path: Path, listen: Listener) -> None:
        self._journal = Journal(path)
        self._tail = Tail(path)
        self._listen = listen
        self.fold = Fold()
        self.workers = 0  # the highest number of an earlier supervisor's

    def append(self, event: events.Event) -> None:
        self._journal.append(event)

    def news(self) -> Iterator[events.Event]:
        """What was written since the last time, each event told to the listener."""
        for event in self._tail.read():
            self.fold.add(event)
            self._listen(event, self.fold)
            yield event

    def recall(self) -> None:
        """Take in what an earlier supervisor left, without telling anybody."""
        self._journal.mend()
        for event in self._tail.read():
            self.fold.add(event)
            if isinstance(event, events.WorkerStarted):
                self.workers = max(self.workers, event.worker)

    def mend(self) -> None:
        """End a line that a dead worker left torn."""
        self._journal.mend()

    def check(self) -> None:
        """`OutputError` where nothing more can be written."""
        self._journal.check()

    def close(self) -> None:
        self._tail.close()
        self._journal.close()

    def ran(self, path: str) -> dict[str, Ran]:
        """The tests of a file that have a result, and their last turn."""
        return {test.id: last_turn(test) for test in self.fold.file_result(path).tests}

    def bad(self) -> int:
        """How many results have gone wrong so far."""
        counts = self.fold.result().counts
        return sum(counts[outcome] for outcome in BAD)
