import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.generate.literals import docstring_text, literal

_plain = st.one_of(
    st.text(),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
_values = st.recursive(
    _plain,
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(_values)
def test_a_literal_reads_back_as_the_same_value(value: object) -> None:
    source = literal(value)
    assert ast.literal_eval(source) == value
    assert source.isascii()


@given(st.text())
def test_no_text_gets_out_of_a_docstring(text: str) -> None:
    inside = docstring_text(text)
    assert ast.literal_eval(f'"""{inside}."""') == f"{inside}."
    assert "\n" not in inside


def test_long_values_take_a_line_per_item() -> None:
    value = {"device": "auto", "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"], "n": 1}
    lines = literal(value, used=30).splitlines()
    assert lines == [
        "{",
        '    "device": "auto",',
        '    "priority_list": ["cuda", "rocm", "mps", "xpu", "cpu"],',
        '    "n": 1,',
        "}",
    ]


def test_what_has_no_literal_is_refused() -> None:
    with pytest.raises(TypeError, match="no literal for object"):
        literal(object())
    with pytest.raises(TypeError, match="no literal for -inf"):
        literal({"minutes": float("-inf")})
