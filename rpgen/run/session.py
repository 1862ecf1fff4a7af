"""One pytest session that lasts as long as the worker and takes file after file.

pytest's own loop collects everything first and then runs; here each file is collected by the
same hooks when its turn comes, run, and forgotten. That costs a few milliseconds per file,
where a pytest session for each would cost fifty, and a file that breaks while it is imported
costs only itself.
"""

import importlib.util
import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from rpgen.errors import UsageError, WorkerError
from rpgen.run.accelerator import broken_accelerator
from rpgen.run.channel import Command, RunFile, Settings
from rpgen.run.file_run import FileRun
from rpgen.run.forget import (
    forget_fixtures,
    fresh_instance,
    keep_conftests,
    readable_argument,
)
from rpgen.run.guard import StateGuard
from rpgen.run.journal import Journal
from rpgen.run.rounds import Ran, Rounds, Turn
from rpgen.run.sampler import Sampler
from rpgen.run.spared import RenderedOnce, leave_own_asserts
from rpgen.run.worker_imports import import_for

SPENT = 75  # exit code of a worker in which nothing would work any more


def run_session(
    settings: Settings,
    journal: Journal,
    commands: "SimpleQueue[Command]",
    ready: Callable[[], object],
) -> int:
    """Run until told to exit. `UsageError` for a -k that pytest can't understand."""
    _check_keyword(settings.keyword)
    plugin = WorkerPlugin(settings, journal, commands, ready)
    code = pytest.main(_arguments(settings), plugins=[plugin])
    if not plugin.was_ready:
        raise WorkerError(f"pytest could not start (exit code {int(code)})")
    return 0


def _arguments(settings: Settings) -> list[str]:
    """The folders decide pytest's root, its settings file and the first conftest files."""
    arguments = [
        "--import-mode=importlib",
        "--capture=no",  # what is printed goes to the log, where a crash can't take it away
        "--tb=short",
        "--maxfail=0",  # the supervisor counts
        "-W",  # pytest would like to rewrite the asserts of all packages with a plugin for it
        "ignore:Module already imported so cannot be rewritten",
        "-p",
        "no:rpgen",
        "-o",
        f"cache_dir={settings.pytest_cache}",
    ]
    if importlib.util.find_spec("xdist"):
        arguments.append("-n0")
    if settings.keyword:
        arguments += ["-k", settings.keyword]
    if settings.late_conftest:
        arguments.append("--noconftest")
    return [*arguments, *settings.folders]


def _check_keyword(keyword: str | None) -> None:
    if not keyword:
        return
    from _pytest.mark.expression import Expression

    try:
        Expression.compile(keyword)
    except Exception as error:
        raise UsageError(f"-k {keyword!r} is not an expression of pytest's: {error}") from (error)


class WorkerPlugin:
    """pytest's hooks in the worker; what concerns one file is in `FileRun`."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        commands: "SimpleQueue[Command]",
        ready: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._commands = commands
        self._ready = ready
        self._rounds = Rounds(settings.repeat, settings.reruns)
        self._sampler = Sampler(settings.worker, journal)
        self._guard = StateGuard()
        self._rendered = RenderedOnce()
        self._file: FileRun | None = None
        self._bad = 0
        self._stopping = False
        self._folders: dict[Path, Any] = {}
        self.was_ready = False

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Nobody reads pytest's own report, and it would keep every test's for ever."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            config.pluginmanager.unregister(reporter)
        leave_own_asserts(config)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        session.config.args = []  # the first collection is of nothing
        keep_conftests(session)
        if self._settings.late_conftest:
            session.config.pluginmanager._noconftest = False
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        """The first Ctrl-C: the test that is running may end, no other begins."""
        self._stopping = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.was_ready = True
        self._ready()
        self._sampler.start()
        for command in self._files():
            if self._must_stop():
                break
            self._run(session, command)
        return True

    def _must_stop(self) -> bool:
        """After Ctrl-C, or with as many bad results as the run may have."""
        bad = self._bad + (self._file.bad if self._file else 0)
        limit = self._settings.failures_left
        return self._stopping or (limit > 0 and bad >= limit)

    def _files(self) -> Iterator[RunFile]:
        while isinstance(command := self._commands.get(), RunFile):
            yield command

    def _run(self, session: pytest.Session, command: RunFile) -> None:
        if command.needs_models:
            import_for(Path(command.path))
        self._sampler.path = command.name
        self._sampler.watch_pool()
        self._file = FileRun(command, self._settings, self._journal, self._guard)
        self._file.start()
        items = self._collect(session, command)
        self._sampler.watch_pool()  # importing the file may have brought it
        self._file.collected(items)
        self._run_rounds(session, items, command)
        if self._must_stop():
            self._tear_down(session)
        items.clear()
        session.items = []
        self._rendered.forget()
        forget_fixtures(session, Path(command.path))
        self._file.end()
        self._bad += self._file.bad
        self._file = self._sampler.path = None

    def _run_rounds(self, session: pytest.Session, items: list[Any], command: RunFile) -> None:
        """All tests once, or as often as `--repeat` and `--reruns` say and a test needs it."""
        assert self._file is not None
        by_name = {self._file.id_of(item): item for item in items}
        ran = {test: Ran(Turn(*turn), bad) for test, *turn, bad in command.ran}
        first = True
        while not self._must_stop() and (batch := self._rounds.batch(by_name, ran)):
            turn, tests = batch
            if not first:
                self._file.again()
            first = False
            for test, following in zip(tests, (*tests[1:], None), strict=True):
                if self._must_stop():
                    return
                good = self._run_test(session, by_name[test], by_name.get(following or ""), turn)
                ran[test] = Ran(turn, not good)
                if not good and self._rounds.following(ran[test]) != (turn[0], turn[1] + 1):
                    self._file.bad += 1  # it gets no further attempt

    def _collect(self, session: pytest.Session, command: RunFile) -> list[Any]:
        """The file's tests, after -k and markers; a trouble is already in the journal."""
        assert self._file is not None
        tests = [f"::{test}" for test in command.tests] or [""]
        session.items = []
        with readable_argument(command.path) as name:
            session.config.args = [name + test for test in tests]
            try:
                session.config.hook.pytest_collection(session=session)
            except (Exception, SystemExit, KeyboardInterrupt, pytest.exit.Exception) as error:  # noqa: BLE001
                self._file.trouble(_said(error))
                return []
        return list(session.items)

    def _run_test(self, session: pytest.Session, item: Any, following: Any, turn: Turn) -> bool:
        """One test; whether it went well. With nothing following, the fixtures of the whole
        file are torn down."""
        assert self._file is not None
        if turn != Turn():
            fresh_instance(item)
        self._file.test_starts(item, turn)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except (Exception, SystemExit, KeyboardInterrupt, pytest.exit.Exception) as error:  # noqa: BLE001
            self._file.interrupted_by(_said(error))
            self._tear_down(session)
        good = self._file.test_ends()
        if not good and (trouble := broken_accelerator()):
            self._file.worker_spent(trouble)
            os._exit(SPENT)
        return good

    def _tear_down(self, session: pytest.Session) -> None:
        """End all fixtures, where the last test could not know that it was the last."""
        assert self._file is not None
        try:
            session._setupstate.teardown_exact(None)
        except (Exception, SystemExit, KeyboardInterrupt, pytest.exit.Exception) as error:  # noqa: BLE001
            self._file.trouble(f"in clean-up: {_said(error)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_directory(self, path: Path) -> Generator[None, Any, Any]:
        """One node per folder for the whole session: its conftest's fixtures belong to it."""
        made = yield
        return self._folders.setdefault(path, made)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Only the file whose turn it is, not its neighbours in the folder."""
        if self._file is None or self._file.is_or_contains_this(collection_path):
            return None
        return True

    def pytest_plugin_registered(self, plugin: object, plugin_name: str) -> None:
        if self._file is not None and str(plugin_name).endswith("conftest.py"):
            self._file.conftest_loaded()

    def pytest_deselected(self, items: list[Any]) -> None:
        if self._file is not None:
            self._file.deselected += len(items)

    def pytest_collectreport(self, report: Any) -> None:
        if self._file is not None:
            self._file.collect_report(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: Any, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        with self._rendered.around(item, call) as reports:
            reports.append((yield))
        return reports[-1]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self._file is not None:
            self._file.test_report(report)


def _said(error: BaseException) -> str:
    text = str(error).strip() or "without a message"
    return f"{type(error).__name__}: {text}"
