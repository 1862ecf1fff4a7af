"""The supervisor: hands files to workers, follows the journal, and picks up the pieces.

It imports no torch and runs no test. A worker always has one file more than the one it is at,
so it never waits. What the supervisor knows of a worker's doings it has from the journal; that
the worker is gone, from its exit status. What is done about that is in `rescue`.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import rpgen
from rpgen.errors import NothingRanError, UsageError, WorkerError
from rpgen.run import events
from rpgen.run.backlog import Backlog, ahead
from rpgen.run.channel import Exit, RunFile
from rpgen.run.engines import Engine
from rpgen.run.engines.interface import LostWorkerError, Slot
from rpgen.run.enlist import settings_for
from rpgen.run.interrupts import Interrupts
from rpgen.run.keeper import kill_marked
from rpgen.run.ledger import Ledger, Listener
from rpgen.run.outcomes import Outcome, RunResult
from rpgen.run.output import keep_end
from rpgen.run.request import RunRequest
from rpgen.run.rescue import Rescue
from rpgen.run.schedule import Job
from rpgen.run.state import RunFolder, RunLock
from rpgen.run.watch import Watched

QUICK_POLL_SECONDS = 0.002  # after news: small files follow each other within milliseconds
POLL_SECONDS = 0.02
START_SECONDS = 600.0  # for torch and transformers on a slow disk
EXIT_SECONDS = 5.0


class Supervisor:
    """One run. `run` returns when every file has a result, or when the person had enough.

    `jobs` is called once the first worker has been started, so that its imports overlap with
    the reading of the files; `needs_models` says whether that worker will need them. With
    `resume` the folder is that of a run that was cut off, and `jobs` are all of its files.
    """

    def __init__(
        self,
        request: RunRequest,
        folder: RunFolder,
        jobs: Callable[[], Sequence[Job]],
        folders: Sequence[str],
        engine: Engine,
        listen: Listener = lambda event, fold: None,
        host: Callable[[], Mapping[str, Any]] = dict,
        interrupts: Interrupts | None = None,
        needs_models: bool = False,
        resume: bool = False,
    ) -> None:
        self._request = request
        self._folder = folder
        self._jobs = jobs
        self._folders = tuple(folders)
        self._engine = engine
        self._host = host
        self._needs_models = needs_models
        self._resume = resume
        self._environment = request.environment()
        self._lock = RunLock(folder)
        self._ledger = Ledger(folder.journal, listen)
        self._interrupts = interrupts or Interrupts()
        self._backlog = Backlog((), {})
        self._crew: dict[int, Watched] = {}
        self._rescue = Rescue(request, self._ledger, self._follow, self._backlog)
        self._started = 0
        self._bad_before = 0
        self._news = True
        self._stopped: str | None = None
        self._pause = POLL_SECONDS

    def run(self) -> RunResult:
        """The first act is to start a worker, so that its imports overlap with the rest."""
        try:
            if self._resume:
                self._go_on()
            else:
                self._begin()
            while len(self._backlog) or any(worker.handed for worker in self._crew.values()):
                self._turn()
            self._write_end()
        except (NothingRanError, UsageError, WorkerError) as error:
            self._stopped = str(error)
            self._write_end()
            raise
        finally:
            self._end_all(0.0 if self._interrupts.now else EXIT_SECONDS)
            self._engine.close()
            self._ledger.close()
            self._lock.release()
            for log in self._folder.logs():
                with contextlib.suppress(OSError):  # a full disk has had its own error by now
                    keep_end(log)
        return self._ledger.fold.result()

    def _turn(self) -> None:
        if self._stopped:
            self._backlog.clear()  # also of what came back from a worker that went down since
        self._hire()
        crew = list(self._crew.values())
        statuses = [self._status(worker) for worker in crew]  # before reading: nothing is missed
        self._follow()
        self._heed_limits()
        for worker, status in zip(crew, statuses, strict=True):
            if self._crew.get(worker.slot.number) is worker:
                with self._unless_lost(worker):
                    self._look_after(worker, status)
        time.sleep(self._pause)

    def _look_after(self, worker: Watched, status: int | None) -> None:
        if self._stopped and not worker.handed:
            return
        if status is not None:
            self._gone(worker, status)
        elif worker.ready:
            self._hand_out(worker)
            limit = self._request.timeout
            if worker.overdue(limit):
                self._follow()  # it may have gone on just now
            if worker.overdue(limit):
                self._rescue.overdue(worker)
                self._end_worker(worker, 0.0)
            worker.memory_mb = worker.handle.memory_mb() or worker.memory_mb
            worker.handle.bound_log()
        elif worker.clock() - worker.since > START_SECONDS:
            said = worker.handle.last_words()
            raise WorkerError(f"the worker was not ready in {START_SECONDS:g} s: {said}")

    # the journal

    def _write(self, event: events.Event) -> None:
        self._ledger.append(event)
        self._follow()

    def _follow(self) -> None:
        news = False
        for event in self._ledger.news():
            news = True
            for worker in self._crew.values():
                if worker.concerns(event):
                    worker.note(event)
            if isinstance(event, events.WorkerRefused):
                raise UsageError(event.message)
        self._news = self._news or news
        self._pause = QUICK_POLL_SECONDS if news else min(2 * self._pause, POLL_SECONDS)

    def _begin(self) -> None:
        self._ledger.append(
            events.RunAsked(
                run=self._folder.run, folder=str(Path.cwd()), options=self._request.to_dict()
            )
        )
        with contextlib.suppress(LostWorkerError):  # another slot's will do
            self._start_worker(self._engine.slots()[0], self._needs_models)
        jobs = self._jobs()
        self._plan(jobs, [job.task() for job in jobs])
        files = [
            {
                "path": job.name,
                "model": job.facts.model,
                "family": job.facts.family,
                "asked": job.target.device or self._request.device,
                "model_type": job.facts.checkpoint.get("model_type"),
            }
            for job in jobs
        ]
        self._write(
            events.RunStarted(
                run=self._folder.run,
                files=tuple(files),
                targets=tuple(job.target.to_dict() for job in jobs),
                options=self._request.to_dict(),
                host=self._host(),
                rpgen=rpgen.__version__,
            )
        )

    def _go_on(self) -> None:
        """Make sure that nothing of the run is left alive, and take in what it has done."""
        kill_marked(f"{self._folder.run}:")
        self._ledger.recall()
        self._started = self._ledger.workers
        self._bad_before = self._ledger.bad()
        self._write(events.RunResumed(host=self._host(), rpgen=rpgen.__version__))
        jobs = self._jobs()
        self._plan(jobs, self._rescue.still_to_run(job.task() for job in jobs))

    def _plan(self, jobs: Sequence[Job], tasks: Sequence[RunFile]) -> None:
        keys = {job.name: job.facts.pool_key for job in jobs}
        self._backlog = Backlog(tasks, keys, len(self._engine.slots()))
        self._rescue.backlog = self._backlog

    def _write_end(self) -> None:
        interrupted = self._interrupts.count > 0
        self._write(events.RunEnded(stopped=self._stopped, interrupted=interrupted))

    # the workers

    def _hire(self) -> None:
        """A worker for each free slot that has something to do."""
        for slot in self._engine.slots():
            if slot.number in self._crew:
                continue
            task = self._backlog.peek(slot.number)
            if task is not None:
                with contextlib.suppress(LostWorkerError):  # others are left
                    self._start_worker(slot, task.needs_models)

    def _start_worker(self, slot: Slot, import_models: bool, late_conftest: bool = False) -> None:
        self._started += 1
        bad = self._ledger.bad() - self._bad_before if self._request.maxfail else 0
        settings = replace(
            settings_for(
                self._started, slot.number, self._request, self._folder, self._folders, bad
            ),
            import_models=import_models,
            late_conftest=late_conftest,
        )
        handle = self._engine.start(settings, self._environment, slot)
        worker = Watched(
            self._started, handle, slot, handle.oom_kills(), late_conftest=late_conftest
        )
        self._crew[slot.number] = worker
        self._ledger.append(
            events.WorkerStarted(
                worker=self._started, pid=handle.pid, slot=slot.number, where=slot.name
            )
        )

    def _end_worker(self, worker: Watched, patience: float) -> None:
        """It is gone, or has nothing more to do."""
        if self._crew.get(worker.slot.number) is worker:
            del self._crew[worker.slot.number]
            self._backlog.vacate(worker.slot.number)
        with contextlib.suppress(LostWorkerError):
            if not worker.told_to_exit:
                worker.handle.send(Exit())
            worker.handle.end(patience)

    def _end_all(self, patience: float) -> None:
        """All are told first, so that they end side by side."""
        for worker in self._crew.values():
            if not worker.told_to_exit:
                worker.told_to_exit = True
                with contextlib.suppress(LostWorkerError):
                    worker.handle.send(Exit())
        for worker in list(self._crew.values()):
            self._end_worker(worker, patience)

    def _hand_out(self, worker: Watched) -> None:
        isolate = self._request.isolate
        full = isolate and worker.finished > 0
        while not full and len(worker.handed) < self._ahead():
            task = self._backlog.take(worker.slot.number)
            if task is None:
                break
            worker.handed.append(task)
            worker.handle.send(task)
        if full and not worker.handed:
            self._end_worker(worker, EXIT_SECONDS)
        elif not len(self._backlog) and not worker.told_to_exit:
            worker.told_to_exit = True
            worker.handle.send(Exit())

    def _ahead(self) -> int:
        return ahead(len(self._backlog), len(self._engine.slots()), self._request.isolate)

    def _gone(self, worker: Watched, status: int) -> None:
        """The worker has ended. That is in order only where nothing was left for it to do."""
        if not worker.ready:
            said = worker.handle.last_words()
            self._end_worker(worker, 0.0)
            if worker.late_conftest:
                raise WorkerError(f"the worker can't start pytest: {said}")
            task = self._backlog.peek(worker.slot.number)
            needs_models = task is not None and task.needs_models
            self._start_worker(worker.slot, needs_models, late_conftest=True)
            return
        if worker.handed:
            self._rescue.pick_up(worker, status)
        self._end_worker(worker, 0.0)

    def _status(self, worker: Watched) -> int | None:
        try:
            return worker.handle.exit_status()
        except LostWorkerError as error:
            self._lose(worker, error)
            return None

    @contextlib.contextmanager
    def _unless_lost(self, worker: Watched) -> Iterator[None]:
        try:
            yield
        except LostWorkerError as error:
            self._lose(worker, error)

    def _lose(self, worker: Watched, error: LostWorkerError) -> None:
        self._follow()
        self._rescue.lost(worker, str(error))
        self._end_worker(worker, 0.0)

    # limits and wishes

    def _heed_limits(self) -> None:
        maxfail = self._request.maxfail
        if maxfail and not self._stopped and self._news:
            bad = self._ledger.bad() - self._bad_before
            at_work = any(worker.handed for worker in self._crew.values())
            if bad >= maxfail and (len(self._backlog) or at_work):
                self._stop(f"stopped after {bad} failure{'s' * (bad > 1)}, as asked for")
        self._news = False
        if self._interrupts.count and not self._stopped:
            self._stop("interrupted by Ctrl-C")
        if self._interrupts.now:
            for worker in list(self._crew.values()):
                if worker.handed:
                    said = "stopped by a second Ctrl-C"
                    self._rescue.bury(worker, Outcome.ERROR, said, None)
                    self._end_worker(worker, 0.0)
            self._backlog.clear()

    def _stop(self, reason: str) -> None:
        """No further file; each worker ends the one it is at by itself."""
        self._stopped = reason
        interrupted = self._interrupts.count > 0
        self._write(events.RunStopping(reason=reason, interrupted=interrupted))
        self._backlog.clear()
        for worker in list(self._crew.values()):
            task = worker.task()
            worker.handed = [task] if task else []
            with self._unless_lost(worker):
                if not worker.ready:
                    self._end_worker(worker, 0.0)
                elif interrupted or len(self._crew) > 1:
                    worker.handle.interrupt()
