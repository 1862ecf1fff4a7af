import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rpgen.backends.web.wire import TYPES, WireError, decode, encode

ANY_ARRAY = st.sampled_from(TYPES).flatmap(
    lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=20), ANY_ARRAY, max_size=4))
def test_what_is_sent_arrives(given_arrays: "dict[str, np.ndarray]") -> None:
    found = decode(encode(given_arrays))
    assert list(found) == list(given_arrays)
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_arrays_that_do_not_lie_in_one_piece() -> None:
    array = np.arange(12, dtype=np.int64).reshape(3, 4).T
    np.testing.assert_array_equal(decode(encode({"x": array}))["x"], array)


def test_what_arrives_may_be_written_to() -> None:
    found = decode(encode({"x": np.zeros(3, np.float32)}))["x"]
    found[0] = 1
    assert found.tolist() == [1, 0, 0]


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([1j]), np.array([None])])
def test_a_type_that_pages_do_not_know(array: "np.ndarray") -> None:
    with pytest.raises(WireError, match="x"):
        encode({"x": array})


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_refused_or_read(content: bytes) -> None:
    """What is read says the same when it is sent back; nothing but WireError comes out."""
    try:
        found = decode(content)
    except WireError:
        return
    again = decode(encode(found))
    assert {name: value.tobytes() for name, value in again.items()} == {
        name: value.tobytes() for name, value in found.items()
    }


@settings(deadline=None)
@given(st.integers(0, 150), st.integers(0, 255))
def test_torn_and_changed_bytes_never_crash(at: int, value: int) -> None:
    whole = encode({"x": np.arange(6, dtype=np.float32).reshape(2, 3)})
    with pytest.raises(WireError):
        decode(whole[: min(at, len(whole) - 1)])
    changed = bytearray(whole)
    changed[at % len(whole)] = value
    with contextlib.suppress(WireError):
        decode(bytes(changed))
