import pytest

from rpgen.cli.arguments import fill_optional_value
from rpgen.cli.console import one_line


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        (["detect", "--hw-cache"], ["detect", "--hw-cache=d.json"]),
        (["detect", "--hw-cache", "--json"], ["detect", "--hw-cache=d.json", "--json"]),
        (["detect", "--hw-cache", "x.json", "--json"], None),
        (["detect", "--hw-cache=x.json"], None),
        (["run", "--", "--hw-cache"], None),
        (["generate", "--hw-cache", "-m", "gpt2"], ["generate", "--hw-cache=d.json", "-m", "gpt2"]),
        ([], None),
    ],
)
def test_the_option_stands_with_and_without_a_path(
    given: list[str], filled: list[str] | None
) -> None:
    assert fill_optional_value(given, "d.json") == (given if filled is None else filled)


def test_a_message_is_one_line_of_printable_text() -> None:
    assert one_line("a\nb\x1b[31m c") == "a b\\x1b[31m c"
