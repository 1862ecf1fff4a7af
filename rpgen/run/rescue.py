"""A worker is gone: what that costs, who is to blame, and what goes on elsewhere.

A test that took its worker down costs that test; a machine that was lost costs no test, only
a second try of what was running there. A file that takes workers down twice is quarantined.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from rpgen.errors import ExitCode, WorkerError
from rpgen.run import diagnosis, events
from rpgen.run.backlog import Backlog
from rpgen.run.channel import RunFile
from rpgen.run.ledger import Ledger
from rpgen.run.outcomes import Outcome
from rpgen.run.request import RunRequest
from rpgen.run.rounds import Rounds
from rpgen.run.watch import At, Watched

DOWNS_ALLOWED = 2
IDLE_DEATHS_ALLOWED = 3


class Rescue:
    """`follow` reads the journal, so that what was written last is known."""

    def __init__(
        self,
        request: RunRequest,
        ledger: Ledger,
        follow: Callable[[], None],
        backlog: Backlog,
    ) -> None:
        self._request = request
        self._ledger = ledger
        self._follow = follow
        self.backlog = backlog
        self._rounds = Rounds(request.repeat, request.reruns)
        self._downs: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()
        self._idle_deaths = 0

    def pick_up(self, worker: Watched, status: int) -> None:
        """The worker has ended with work left."""
        if worker.spent is not None:
            self._hand_on(worker, worker.spent)
            return
        if status == ExitCode.OUTPUT:
            self._ledger.check()  # a worker that can't write its journal ends so
        now = worker.handle.oom_kills()
        known = now is not None and worker.oom_kills is not None
        kills = now - worker.oom_kills if known else None  # type: ignore[operator]
        remains = diagnosis.Remains(status, worker.memory_mb, kills, worker.handle.stacks())
        self.bury(worker, Outcome.CRASHED, *diagnosis.explain(remains))

    def overdue(self, worker: Watched) -> None:
        """The worker has been at one thing for too long. What it does once it is asked for its
        stacks no longer counts: the signal wakes some tests up."""
        guilty = worker.at()
        stacks = worker.handle.show_stacks()
        message, details = diagnosis.overdue(self._request.timeout, guilty.doing, stacks)
        self.bury(worker, Outcome.TIMEOUT, message, details, guilty)

    def bury(
        self,
        worker: Watched,
        cause: Outcome,
        message: str,
        details: str | None,
        guilty: At | None = None,
    ) -> None:
        """End what is left of the worker, name the culprit, and plan what is to go on."""
        worker.handle.end(0.0)
        self._ledger.mend()
        self._follow()  # it may have gone on until just now
        at = guilty or worker.at()
        self._ledger.append(
            events.WorkerDown(
                worker=worker.number,
                cause=cause,
                message=message,
                path=at.path,
                test=at.test,
                duration_seconds=round(worker.clock() - at.file_since, 3) if at.path else 0.0,
                details=details,
                output=worker.handle.printed_since(at.output_from) if at.path else None,
                round=at.turn.round,
                attempt=at.turn.attempt,
            )
        )
        self._follow()
        if at.path is None:
            self._count_idle_death(message)
        else:
            self._downs[at.path] += 1
        self._hand_on(worker, message)

    def lost(self, worker: Watched, message: str) -> None:
        """The worker's machine or its actor is gone; the file that it was at gets another try."""
        at = worker.path
        self._ledger.append(events.WorkerLost(worker=worker.number, path=at, message=message))
        self._follow()
        if at is None:
            self._count_idle_death(message)
        else:
            self._losses[at] += 1
            if self._losses[at] >= DOWNS_ALLOWED:
                self._downs[at] += DOWNS_ALLOWED
        self._hand_on(worker, message)

    def _count_idle_death(self, message: str) -> None:
        self._idle_deaths += 1
        if self._idle_deaths >= IDLE_DEATHS_ALLOWED:
            raise WorkerError(f"the worker keeps ending before it begins a file: {message}")

    def _hand_on(self, worker: Watched, message: str) -> None:
        """What the worker had still to do is for its successor, or for another one."""
        task = worker.task()
        self.backlog.put_back(each for each in worker.handed if each is not task)
        worker.handed = []
        if task is not None:
            self.go_on_with(task, message, worker.number)

    def go_on_with(self, task: RunFile, message: str, worker: int) -> None:
        """The rest of a file that was cut off; its quarantine; or its end, if nothing is left."""
        rest = self.rest_of(task)
        if rest is None:
            self._end_file(task, worker)
        elif self._downs[task.name] < DOWNS_ALLOWED:
            self.backlog.put_back([rest])
        else:
            ran = self._ledger.ran(task.name)
            tests = self._ledger.fold.collected(task.name) or (task.name,)
            lost = tuple(test for test in tests if test not in ran)
            reason = f"not run: the file took the worker down {DOWNS_ALLOWED} times ({message})"
            self._ledger.append(events.Quarantined(path=task.name, tests=lost, message=reason))
            self._end_file(task, worker)

    def rest_of(self, task: RunFile) -> RunFile | None:
        """What is still to be run of a file; None where nothing is.

        A file that could not be imported has its own result and gets no second try.
        """
        ran = self._ledger.ran(task.name)
        tests = self._ledger.fold.collected(task.name)
        if tests is None and ran:
            return None
        if tests is not None and not any(self._rounds.following(ran.get(each)) for each in tests):
            return None
        turns = tuple((test, *each.turn, each.bad) for test, each in ran.items())
        return replace(task, ran=turns)

    def still_to_run(self, tasks: Iterable[RunFile]) -> list[RunFile]:
        """Of a run that is resumed; a file that only lacked its end gets that."""
        left = []
        for task in tasks:
            file = self._ledger.fold.file_result(task.name)
            rest = None if file.quarantined else self.rest_of(task)
            if rest is not None:
                left.append(rest)
            elif not self._ledger.fold.has_ended(task.name):
                self._end_file(task, worker=0)
        return left

    def _end_file(self, task: RunFile, worker: int) -> None:
        self._ledger.append(events.FileEnded(path=task.name, worker=worker, duration_seconds=0.0))
        self._follow()
