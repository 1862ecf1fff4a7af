"""Which file goes to which worker: to the one that has its model."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rpgen.run.backlog import Backlog
from rpgen.run.channel import RunFile


def backlog(names: str, slots: int) -> Backlog:
    """Files `a1`, `a2`, ... by their model's letter; a dash has none."""
    tasks = [RunFile(f"/{n}", f"{letter}{n}") for n, letter in enumerate(names)]
    keys = {task.name: None if task.name[0] == "-" else task.name[0] for task in tasks}
    return Backlog(tasks, keys, slots)


def taken(waiting: Backlog, slot: int) -> str | None:
    task = waiting.take(slot)
    return task.name if task else None


def test_one_worker_takes_them_in_their_order() -> None:
    waiting = backlog("abab-", 1)
    assert [taken(waiting, 0) for _ in range(6)] == ["a0", "b1", "a2", "b3", "-4", None]


def test_files_go_to_the_worker_that_has_the_model() -> None:
    waiting = backlog("aaabbac", 2)
    assert (taken(waiting, 0), taken(waiting, 1)) == ("a0", "b3")
    assert [taken(waiting, 1) for _ in range(3)] == ["b4", "c6", None]
    assert [taken(waiting, 0) for _ in range(4)] == ["a1", "a2", "a5", None]


def test_much_of_one_model_is_shared() -> None:
    waiting = backlog("a" * 9, 2)
    assert taken(waiting, 0) == "a0"
    assert taken(waiting, 1) == "a1"  # eight are left: worth a second load


def test_a_worker_that_is_gone_takes_its_models_along() -> None:
    waiting = backlog("aab", 2)
    taken(waiting, 0)
    assert taken(waiting, 1) == "b2"
    assert waiting.peek(1) is None
    waiting.vacate(0)
    waiting.put_back([RunFile("/0", "a0")])
    assert [taken(waiting, 1) for _ in range(2)] == ["a0", "a1"]


def test_a_worker_is_told_of_the_models_that_it_will_get() -> None:
    waiting = backlog("abac-", 2)
    task = waiting.take(0)
    assert task is not None
    assert task.upcoming == ("a", "b", "a", "c")
    assert task.upcoming_files == {"a": "/0", "b": "/1", "c": "/3"}
    other = waiting.take(1)
    assert other is not None
    assert other.upcoming == ("b", "c")


@given(st.text("abc-", max_size=30), st.integers(1, 4), st.randoms())
def test_every_file_is_taken_once(names: str, slots: int, chance: object) -> None:
    waiting = backlog(names, slots)
    done: Counter[str] = Counter()
    while len(waiting):
        order = list(range(slots))
        chance.shuffle(order)  # type: ignore[attr-defined]
        took = [task for slot in order if (task := taken(waiting, slot))]
        assert took  # somebody always finds something
        done.update(took)
    assert len(done) == len(names)
    assert set(done.values()) <= {1}
