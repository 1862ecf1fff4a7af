"""The supervisor: hands files to the worker, follows the journal, and picks up the pieces.

It imports no torch and runs no test. The worker always has one file more than the one it is
at, so it never waits. What the supervisor knows of the worker's doings it has from the
journal; that the worker is gone, from its exit status.
"""

import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import rpgen
from rpgen.errors import ExitCode, UsageError, WorkerError
from rpgen.run import diagnosis, events
from rpgen.run.channel import Exit, RunFile, Settings
from rpgen.run.engines import Engine
from rpgen.run.file_facts import read_facts
from rpgen.run.interrupts import Interrupts
from rpgen.run.journal import Journal, Tail
from rpgen.run.output import bound, keep_end, last_words, printed_since
from rpgen.run.request import RunRequest
from rpgen.run.results import BAD, Fold, Outcome, RunResult
from rpgen.run.schedule import Target
from rpgen.run.state import RunFolder
from rpgen.run.watch import Watched

QUICK_POLL_SECONDS = 0.002  # after news: small files follow each other within milliseconds
POLL_SECONDS = 0.02
START_SECONDS = 600.0  # for torch and transformers on a slow disk
EXIT_SECONDS = 5.0
STACK_SECONDS = 0.5
AHEAD = 2
LOOK_AHEAD = 200  # files whose models the pool is told of
DOWNS_ALLOWED = 2
IDLE_DEATHS_ALLOWED = 3

Listener = Callable[[events.Event, Fold], None]


class Supervisor:
    """One run. `run` returns when every file has a result, or when the person had enough."""

    def __init__(
        self,
        request: RunRequest,
        folder: RunFolder,
        targets: tuple[Target, ...],
        engine: Engine,
        listen: Listener = lambda event, fold: None,
        host: Callable[[], Mapping[str, Any]] = dict,
        interrupts: Interrupts | None = None,
    ) -> None:
        self._request = request
        self._folder = folder
        self._targets = targets
        self._engine = engine
        self._listen = listen
        self._host = host
        self._environment = request.environment()
        self._journal = Journal(folder.journal)
        self._tail = Tail(folder.journal)
        self._fold = Fold()
        self._interrupts = interrupts or Interrupts()
        self._waiting: deque[RunFile] = deque()
        self._worker: Watched | None = None
        self._workers = 0
        self._tests: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, str | None] = {}
        self._downs: Counter[str] = Counter()
        self._idle_deaths = 0
        self._stopped: str | None = None
        self._pause = POLL_SECONDS

    def run(self) -> RunResult:
        """The first act is to start the worker, so that its imports overlap with the rest."""
        try:
            first = read_facts(self._targets[0].path)
            self._start_worker(first.needs_models and not first.insists(self._environment))
            self._write_start()
            while self._waiting or (self._worker and self._worker.handed):
                self._turn()
            self._write_end()
        except (UsageError, WorkerError) as error:
            self._stopped = str(error)
            self._write_end()
            raise
        finally:
            self._end_worker(0.0 if self._interrupts.now else EXIT_SECONDS)
            self._tail.close()
            self._journal.close()
            with contextlib.suppress(OSError):  # a full disk has had its own error by now
                keep_end(self._folder.log)
        return self._fold.result()

    def _turn(self) -> None:
        worker = self._worker or self._start_worker(self._waiting[0].needs_models)
        status = worker.handle.exit_status()  # before reading, so that nothing is missed
        self._follow(worker)
        self._heed_limits(worker)
        if self._worker is not worker or (self._stopped and not worker.handed):
            return
        if status is not None:
            self._pick_up(worker, status)
        elif worker.ready:
            self._hand_out(worker)
            self._check_time(worker)
            worker.memory_mb = worker.handle.memory_mb() or worker.memory_mb
            bound(self._folder.log)
        elif worker.clock() - worker.since > START_SECONDS:
            raise WorkerError(
                f"the worker was not ready in {START_SECONDS:g} s: {last_words(self._folder.log)}"
            )
        time.sleep(self._pause)

    # the journal

    def _write(self, event: events.Event) -> None:
        """Append an event of the supervisor's own; it comes back through the tail."""
        self._journal.append(event)
        self._follow(self._worker)

    def _follow(self, worker: Watched | None) -> None:
        news = self._tail.read()
        self._pause = QUICK_POLL_SECONDS if news else min(2 * self._pause, POLL_SECONDS)
        for event in news:
            self._fold.add(event)
            if worker is not None:
                worker.note(event)
            match event:
                case events.Collected():
                    self._tests[event.path] = event.tests
                case events.WorkerRefused():
                    raise UsageError(event.message)
            self._listen(event, self._fold)

    def _write_start(self) -> None:
        files = []
        for target in self._targets:
            facts = read_facts(target.path)
            self._keys[target.name] = facts.pool_key
            files.append({"path": target.name, "model": facts.model, "family": facts.family})
            self._waiting.append(
                RunFile(
                    str(target.path), target.name, target.tests, needs_models=facts.needs_models
                )
            )
        self._write(
            events.RunStarted(
                run=self._folder.run,
                files=tuple(files),
                options=self._request.to_dict(),
                host=self._host(),
                rpgen=rpgen.__version__,
            )
        )

    def _write_end(self) -> None:
        interrupted = self._interrupts.count > 0
        self._write(events.RunEnded(stopped=self._stopped, interrupted=interrupted))

    # the worker

    def _start_worker(self, import_models: bool, late_conftest: bool = False) -> Watched:
        self._workers += 1
        failures = sum(self._fold.result().counts[outcome] for outcome in BAD)
        settings = Settings(
            worker=self._workers,
            parent=os.getpid(),
            journal=str(self._folder.journal),
            log=str(self._folder.log),
            stack=str(self._folder.stack(self._workers)),
            pytest_cache=str(self._folder.path / "pytest_cache"),
            folders=tuple(sorted({str(target.folder) for target in self._targets})),
            keyword=self._request.keyword,
            failures_left=max(0, self._request.maxfail - failures),
            cleanup_age=self._request.cleanup_age,
            import_models=import_models,
            late_conftest=late_conftest,
        )
        handle = self._engine.start(settings, self._environment)
        self._worker = Watched(
            self._workers, handle, diagnosis.oom_kills(), late_conftest=late_conftest
        )
        self._journal.append(events.WorkerStarted(worker=self._workers, pid=handle.pid))
        return self._worker

    def _end_worker(self, patience: float) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            if not worker.told_to_exit:
                worker.handle.send(Exit())
            worker.handle.end(patience)

    def _hand_out(self, worker: Watched) -> None:
        ahead = 1 if self._request.isolate else AHEAD
        full = self._request.isolate and worker.finished > 0
        while self._waiting and len(worker.handed) < ahead and not full:
            task = replace(self._waiting[0], upcoming=self._upcoming())
            self._waiting.popleft()
            worker.handed.append(task)
            worker.handle.send(task)
        if full and not worker.handed:
            self._end_worker(EXIT_SECONDS)
        elif not self._waiting and not worker.told_to_exit:
            worker.told_to_exit = True
            worker.handle.send(Exit())

    def _upcoming(self) -> tuple[str, ...]:
        """The models of the files that still wait, the next one's first."""
        keys = (self._keys[task.name] for task in islice(self._waiting, LOOK_AHEAD))
        return tuple(key for key in keys if key)

    def _check_time(self, worker: Watched) -> None:
        if not worker.overdue(self._request.timeout):
            return
        stack = self._folder.stack(worker.number)
        before = stack.stat().st_size
        worker.handle.show_stacks()
        deadline = time.monotonic() + STACK_SECONDS
        while stack.stat().st_size == before and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        message, details = diagnosis.overdue(
            self._request.timeout, worker.doing, diagnosis.stacks(self._folder.stack(worker.number))
        )
        self._bury(worker, Outcome.TIMEOUT, message, details)

    def _pick_up(self, worker: Watched, status: int) -> None:
        """The worker is gone. That is in order only where nothing was left for it to do."""
        if not worker.ready:
            self._end_worker(0.0)
            if worker.late_conftest:
                raise WorkerError(f"the worker can't start pytest: {last_words(self._folder.log)}")
            self._start_worker(self._waiting[0].needs_models, late_conftest=True)
            return
        if not worker.handed:
            self._end_worker(0.0)
            return
        if worker.spent is not None:
            self._replace(worker, worker.spent)
            return
        if status == ExitCode.OUTPUT:
            self._journal.check()  # a worker that can't write its journal ends so
        now = diagnosis.oom_kills()
        known = now is not None and worker.oom_kills is not None
        kills = now - worker.oom_kills if known else None  # type: ignore[operator]
        remains = diagnosis.Remains(
            status, worker.memory_mb, kills, diagnosis.stacks(self._folder.stack(worker.number))
        )
        self._bury(worker, Outcome.CRASHED, *diagnosis.explain(remains))

    def _bury(self, worker: Watched, cause: Outcome, message: str, details: str | None) -> None:
        """End what is left of the worker, name the culprit, and plan what is to go on."""
        worker.handle.end(0.0)
        self._journal.mend()
        at = worker.path
        self._write(
            events.WorkerDown(
                worker=worker.number,
                cause=cause,
                message=message,
                path=at,
                test=worker.test,
                duration_seconds=round(worker.clock() - worker.file_since, 3) if at else 0.0,
                details=details,
                output=printed_since(worker.output_from, str(self._folder.log)) if at else None,
            )
        )
        if at is None:
            self._idle_deaths += 1
            if self._idle_deaths >= IDLE_DEATHS_ALLOWED:
                raise WorkerError(f"the worker keeps ending before it begins a file: {message}")
        self._replace(worker, message)

    def _replace(self, worker: Watched, message: str) -> None:
        """What the worker had still to do is for its successor."""
        self._end_worker(0.0)
        task = worker.task()
        self._waiting.extendleft(reversed([each for each in worker.handed if each is not task]))
        if task is not None:
            self._go_on_with(task, message)

    def _go_on_with(self, task: RunFile, message: str) -> None:
        """The rest of a file that took the worker down, or its quarantine."""
        self._downs[task.name] += 1
        done = {test.id for test in self._fold.file_result(task.name).tests}
        left = tuple(test for test in self._tests.get(task.name, ()) if test not in done)
        if left and self._downs[task.name] < DOWNS_ALLOWED:
            self._waiting.appendleft(replace(task, skip=tuple(sorted(done))))
            return
        if left:
            reason = f"not run: the file took the worker down {DOWNS_ALLOWED} times ({message})"
            self._write(events.Quarantined(path=task.name, tests=left, message=reason))
        self._write(events.FileEnded(path=task.name, worker=self._workers, duration_seconds=0.0))

    # limits and wishes

    def _heed_limits(self, worker: Watched) -> None:
        maxfail = self._request.maxfail
        if maxfail and not self._stopped:
            bad = sum(self._fold.result().counts[outcome] for outcome in BAD)
            if bad >= maxfail and (self._waiting or worker.handed):
                self._stop(worker, f"stopped after {bad} failure{'s' * (bad > 1)}, as asked for")
        if self._interrupts.count and not self._stopped:
            self._stop(worker, "interrupted by Ctrl-C")
            if worker.ready:
                worker.handle.interrupt()
            else:
                worker.handle.end(0.0)
        if self._interrupts.now and worker.handed:
            self._bury(worker, Outcome.ERROR, "stopped by a second Ctrl-C", None)
            self._waiting.clear()

    def _stop(self, worker: Watched, reason: str) -> None:
        """No further file; the worker ends the one it is at by itself."""
        self._stopped = reason
        interrupted = self._interrupts.count > 0
        self._write(events.RunStopping(reason=reason, interrupted=interrupted))
        self._waiting.clear()
        task = worker.task()
        worker.handed = [task] if task else []
