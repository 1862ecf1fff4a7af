"""Orders and shards, on files that are only names."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.errors import UsageError
from rpgen.run.file_facts import FileFacts
from rpgen.run.order import (
    Ordering,
    Shard,
    group_of,
    ordered,
    parse_ordering,
    parse_shard,
    shard_of,
)
from rpgen.run.schedule import Job, Target
from rpgen.run.sizes import parse_size


def job(name: str, model: str | None = None) -> Job:
    target = Target(Path(f"/{name}"), name, Path("/"))
    return Job(target, FileFacts(model, "vision" if model else None, bool(model)))


FILES = [job("1", "a"), job("2", "b"), job("3"), job("4", "a"), job("5", "b"), job("6", "a")]


def names(jobs: tuple[Job, ...]) -> str:
    return "".join(each.name for each in jobs)


def test_orders() -> None:
    assert names(ordered(FILES, parse_ordering("path"))) == "123456"
    assert names(ordered(FILES, parse_ordering("reuse"))) == "146253"
    seconds = {"1": 1.0, "2": 9.0, "3": 4.0, "4": 2.0, "5": 1.0, "6": 3.0}
    assert names(ordered(FILES, parse_ordering("slowest-first"), seconds)) == "256413"
    assert names(ordered(FILES, parse_ordering("slowest-first"), {"2": 9.0})) == "146253"


def test_a_random_order_can_be_had_again() -> None:
    drawn = parse_ordering("random")
    assert drawn.seed is not None
    again = parse_ordering(str(drawn))
    assert again == drawn
    assert ordered(FILES, again) == ordered(FILES, drawn)
    orders = {names(ordered(FILES, parse_ordering(f"random:{seed}"))) for seed in range(20)}
    assert len(orders) > 10
    assert all(sorted(order) == sorted("123456") for order in orders)


@pytest.mark.parametrize("text", ["", "fastest", "random:", "random:x", "random:-1", "path:3"])
def test_orders_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ordering(text)


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=30), st.integers(1, 6))
def test_shards_share_out_every_file_once_and_no_model_twice(
    models: list[str | None], count: int
) -> None:
    jobs = [job(str(number), model) for number, model in enumerate(models)]
    shards = [shard_of(jobs, Shard(number, count)) for number in range(1, count + 1)]
    assert Counter(each.name for shard in shards for each in shard) == Counter(
        each.name for each in jobs
    )
    groups = [group for shard in shards for group in {group_of(each) for each in shard}]
    assert len(groups) == len(set(groups))
    for shard in shards:
        assert list(shard) == sorted(shard, key=jobs.index)


def test_shards_are_even_where_the_models_allow() -> None:
    jobs = [job(f"{model}{n}", model) for model in "abcd" for n in range(3)]
    assert [len(shard_of(jobs, Shard(number, 2))) for number in (1, 2)] == [6, 6]


def test_shards_as_they_are_written() -> None:
    assert parse_shard("2/5") == Shard(2, 5)
    for text in ("", "0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(UsageError):
            parse_shard(text)


def test_sizes_as_people_write_them() -> None:
    assert parse_size("8GB") == parse_size("8g") == parse_size("8 GiB") == 8192
    assert parse_size("300") == parse_size("300M") == 300
    for text in ("", "GB", "-1", "1XB", "8 9", "nan"):
        with pytest.raises(UsageError):
            parse_size(text)


def test_an_ordering_is_written_as_it_is_read() -> None:
    assert str(Ordering()) == "reuse"
    assert parse_ordering("random:7") == parse_ordering(str(parse_ordering("random:7")))
