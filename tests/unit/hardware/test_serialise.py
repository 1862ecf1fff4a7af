import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.hardware.serialise import from_dict, to_dict
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    Evidence,
    HardwareSnapshot,
    HostIdentity,
    State,
    Step,
)

texts = st.text(max_size=20)
sizes = st.floats(min_value=0, max_value=1e9)
facts = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3)
mappings = st.dictionaries(texts, texts, max_size=3)
evidence = st.builds(Evidence, st.sampled_from(Step), st.none() | st.booleans(), texts)


def devices(backend: Backend) -> st.SearchStrategy[Device]:
    return st.builds(
        Device,
        st.just(backend),
        st.integers(min_value=0, max_value=64),
        texts,
        torch_device=st.none() | texts,
        total_mb=st.none() | sizes,
        unified=st.booleans(),
        capability=st.none() | st.tuples(st.integers(0, 20), st.integers(0, 9)),
        dtypes=st.lists(st.sampled_from(["fp32", "fp16", "bf16"]), unique=True).map(tuple),
        facts=facts,
    )


def reports(backend: Backend) -> st.SearchStrategy[BackendReport]:
    return st.builds(
        BackendReport,
        st.just(backend),
        st.sampled_from(State),
        evidence=st.lists(evidence, max_size=3).map(tuple),
        devices=st.lists(devices(backend), max_size=2).map(tuple),
        reason=texts,
        remedy=texts,
        facts=facts,
    )


snapshots = st.builds(
    HardwareSnapshot,
    host=st.builds(HostIdentity, texts, texts, texts, mappings, mappings, mappings),
    backends=st.fixed_dictionaries(
        {}, optional={backend: reports(backend) for backend in (Backend.CPU, Backend.CUDA)}
    ),
    cpu_count=st.integers(min_value=1, max_value=1024),
    memory_total_mb=sizes,
    memory_limit_mb=st.none() | sizes,
    os_version=texts,
    python_version=texts,
)


@given(snapshots)
def test_round_trip_through_json(snapshot):
    assert from_dict(json.loads(json.dumps(to_dict(snapshot), allow_nan=False))) == snapshot


def whole() -> dict:
    cpu = BackendReport(
        Backend.CPU,
        State.AVAILABLE,
        evidence=(Evidence(Step.DEVICE, True, "seen"),),
        devices=(Device(Backend.CPU, 0, "cpu", "cpu", 1024.0),),
    )
    host = HostIdentity("here", "Linux", "x86_64")
    return to_dict(HardwareSnapshot(host, {Backend.CPU: cpu}, 2, 1024.0))


def fields(value, at=()):
    """Every named field in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, content in inner:
        if isinstance(value, dict):
            yield (*at, key)
        if isinstance(content, (dict, list)):
            yield from fields(content, (*at, key))


def parent_of(data, place):
    for key in place[:-1]:
        data = data[key]
    return data


FIELDS = [place for place in fields(whole()) if place != ("backends", "cpu")]


@pytest.mark.parametrize("place", FIELDS, ids=str)
def test_a_missing_field_is_refused(place):
    data = whole()
    del parent_of(data, place)[place[-1]]
    with pytest.raises(ValueError, match=str(place[-1])):
        from_dict(data)


@pytest.mark.parametrize("place", FIELDS, ids=str)
def test_a_field_of_another_type_is_refused(place):
    data = whole()
    parent_of(data, place)[place[-1]] = ("no", "such", "type")
    with pytest.raises(ValueError, match=r"."):
        from_dict(data)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("cpu_count", 0),
        ("cpu_count", True),
        ("cpu_count", 2.5),
        ("memory_total_mb", -1),
        ("memory_total_mb", float("inf")),
        ("memory_total_mb", "1024"),
    ],
)
def test_figures_out_of_their_range(place, value):
    with pytest.raises(ValueError, match=place):
        from_dict(whole() | {place: value})


@pytest.mark.parametrize("data", [None, [], "text", 3, {}, {"host": {}}])
def test_other_json_values(data):
    with pytest.raises(ValueError, match=r"."):
        from_dict(data)
