"""One browser for a process: its thread, its death, its end, and nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import torch

from rpgen.backends.base import BackendError, LostError
from rpgen.backends.web.browser import SharedBrowser, close_shared_browser, running_browser
from rpgen.backends.web.kept import kept_processes
from rpgen.backends.web.program import Program
from rpgen.backends.web.running import Live
from rpgen.models import Checkpoint
from rpgen.pool.pool import ResourcePool
from rpgen.run.surroundings import Surroundings
from tests.system.web.conftest import gone

COUNT = "number => number + 1"


def add(live: Live, number: int) -> int:
    found: int = live.page("sums").content.evaluate(COUNT, number)
    return found


def profiles(browser: SharedBrowser) -> list[Path]:
    words = psutil.Process(browser.processes[1]).cmdline()
    beginning = "--user-data-dir="
    return [Path(word.removeprefix(beginning)) for word in words if word.startswith(beginning)]


def test_it_serves_threads_and_a_test_that_has_a_loop(own_browser: SharedBrowser) -> None:
    found: list[int] = []

    def ask(number: int) -> None:
        found.append(own_browser.do(lambda live: add(live, number)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def inside() -> int:
        return own_browser.do(lambda live: add(live, 10))

    assert sorted(found) == [1, 2, 3, 4]
    assert asyncio.run(inside()) == 11


def test_it_is_no_leftover_of_a_test_file(own_browser: SharedBrowser) -> None:
    before = Surroundings.now()
    own_browser.do(lambda live: add(live, 1))
    assert set(own_browser.processes) <= kept_processes()
    out, error = sys.stdout, sys.stderr
    try:
        assert before.restore() == ()
    finally:
        sys.stdout, sys.stderr = out, error
    assert own_browser.do(lambda live: add(live, 2)) == 3


def test_one_that_was_killed_is_replaced(own_browser: SharedBrowser) -> None:
    own_browser.do(lambda live: add(live, 1))
    first = own_browser.processes
    os.kill(first[1], signal.SIGKILL)
    assert gone(first[1:2])
    assert own_browser.do(lambda live: add(live, 2)) == 3
    assert not set(first) & set(own_browser.processes)
    assert gone(first)
    driver, folders = own_browser.processes[0], profiles(own_browser)
    assert len(folders) == 1
    os.kill(driver, signal.SIGKILL)
    assert gone((driver,))
    assert own_browser.do(lambda live: add(live, 3)) == 4
    assert not folders[0].exists()


def test_death_in_the_middle_of_work_costs_that_work(own_browser: SharedBrowser) -> None:
    own_browser.do(lambda live: add(live, 1))
    killer = threading.Timer(0.5, own_browser.kill)
    killer.start()
    with pytest.raises(BackendError, match="the browser"):
        own_browser.do(lambda live: live.page("sums").content.evaluate("new Promise(() => {})"))
    killer.join()
    assert own_browser.do(lambda live: add(live, 2)) == 3


def test_a_page_that_hangs_is_ended(own_browser: SharedBrowser) -> None:
    own_browser.do(lambda live: add(live, 1))
    with pytest.raises(BackendError, match=r"no answer in 0\.5 s"):
        own_browser.do(lambda live: live.page("sums").content.evaluate("for (;;);"), patience=0.5)
    assert own_browser.do(lambda live: add(live, 2)) == 3


def test_who_waits_for_its_turn_ends_nobody_elses_work(own_browser: SharedBrowser) -> None:
    own_browser.do(lambda live: add(live, 1))
    first, slow = own_browser.processes, threading.Event()

    def work(live: Live) -> int:
        slow.wait(20)
        return add(live, 1)

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(own_browser.do(work)))
    thread.start()
    threading.Timer(1.5, slow.set).start()
    assert own_browser.do(lambda live: add(live, 2), patience=1.0) == 3
    thread.join()
    assert found == [2]
    assert own_browser.processes == first


@pytest.mark.parametrize("turn", ["waiting", "working"])
def test_work_of_a_caller_that_was_interrupted_is_not_done(
    own_browser: SharedBrowser, monkeypatch: pytest.MonkeyPatch, turn: str
) -> None:
    own_browser.do(lambda live: add(live, 1))
    began, go, done = threading.Event(), threading.Event(), list[str]()

    def work(live: Live) -> None:
        began.set()
        go.wait(20)
        live.page("sums").content.evaluate("new Promise(() => {})" if turn == "working" else "0")
        done.append("first")

    def interrupted(*_: object) -> None:
        began.wait(20)
        raise KeyboardInterrupt

    mine = work
    if turn == "waiting":
        own_browser.later(work)
        mine = lambda live: done.append("mine")  # noqa: E731
    else:
        go.set()
    with monkeypatch.context() as patched:
        patched.setattr(own_browser, "_waited", interrupted)
        with pytest.raises(KeyboardInterrupt):
            own_browser.do(mine)
    go.set()
    assert own_browser.do(lambda live: add(live, 2)) == 3
    assert done == (["first"] if turn == "waiting" else [])


def test_a_page_that_was_not_made_whole_is_no_page(
    own_browser: SharedBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_browser.do(lambda live: add(live, 1))
    first, server = own_browser.processes, own_browser.server
    assert server is not None
    with monkeypatch.context() as patched:
        patched.setitem(server._files, "page.mjs", Path("/nowhere"))
        with pytest.raises(LostError):
            own_browser.do(lambda live: live.page("new"))
    assert own_browser.do(lambda live: list(live.pages)) == ["sums"]
    assert own_browser.do(lambda live: len(live.browser.contexts)) == 1
    found = own_browser.do(lambda live: live.page("new").content.evaluate("typeof rpgen.run"))
    assert (found, own_browser.processes) == ("function", first)


def test_one_that_has_its_sandbox_refused_says_so(
    own_browser: SharedBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root Chromium starts in none, and says what it says where a system gives it none."""
    if os.geteuid() != 0:
        assert own_browser.do(lambda live: live.unsandboxed) is None
        return
    assert own_browser.do(lambda live: live.unsandboxed) == "it was started by root"
    own_browser.close()
    monkeypatch.setattr("rpgen.backends.web.running._is_root", lambda: False)
    assert own_browser.do(lambda live: live.unsandboxed) == "this system lets it have none"
    assert own_browser.do(lambda live: add(live, 1)) == 2


def test_one_that_can_not_start_says_why(browser_files: Program, tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text(
        "#!/bin/sh\necho error while loading shared libraries: libx.so >&2; exit 127\n"
    )
    broken.chmod(0o755)
    browser = SharedBrowser(Program(broken, browser_files.runtime))
    try:
        with pytest.raises(BackendError, match=r"shared libraries: libx\.so"):
            browser.do(lambda live: add(live, 1))
    finally:
        browser.close()


def test_close_leaves_nothing_and_it_may_start_again(own_browser: SharedBrowser) -> None:
    own_browser.do(lambda live: add(live, 1))
    first = own_browser.processes
    own_browser.close()
    assert gone(first)
    assert own_browser.processes == ()
    assert not set(first) & kept_processes()
    assert own_browser.do(lambda live: add(live, 1)) == 2


def test_the_pool_holds_it_with_its_memory_and_ends_it(browser_files: Program) -> None:
    close_shared_browser()
    pool, mb = ResourcePool(), 2**20
    bert = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", "tiny")
    with pool.lease("embedding", bert.name, bert.load_model, {"device": "wasm"}) as model:
        model(input_ids=torch.tensor([[5, 17, 33, 8]]))
        browser = running_browser()
        assert browser is not None
        assert pool.resources["rpgen:browser"] is browser
        stats = pool.get_stats()
        taken = pool._stats["rpgen:browser"]["memory_usage"]
        assert 50 * mb < taken < 2000 * mb
        assert stats["devices"]["cpu"] >= taken
        assert pool.cleanup_unused_resources(max_age_minutes=0) == 0
        first = browser.processes
        pool.clear()
        assert browser.processes == first
    assert (dict(pool.resources), dict(pool.models)) == ({}, {})
    assert gone(first)
    assert browser.processes == ()
    with pool.lease("embedding", bert.name, bert.load_model, {"device": "wasm"}):
        assert browser.processes
    pool.clear()
    assert browser.processes == ()


OWNER = """
import os, sys, time
from rpgen.backends.web.browser import shared_browser
browser = shared_browser()
browser.do(lambda live: live.page("x"))
print(*browser.processes, flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["exit", "killed"])
def test_it_ends_with_its_process(how: str) -> None:
    waits = "leave" if how == "exit" else "wait"
    owner = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OWNER, waits],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    assert owner.stderr is not None
    with owner:
        pids = tuple(int(word) for word in owner.stdout.readline().split())
        assert len(pids) > 2, owner.stderr.read()
        if how == "killed":
            os.killpg(owner.pid, signal.SIGKILL)
        assert gone(pids)
        said = owner.stderr.read()
        owner.wait(20)
    assert said == "" or how == "killed"
