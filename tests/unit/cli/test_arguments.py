import pytest

from rpgen.cli.arguments import fill_optional_values
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
        (["stats", "--history", "--json"], ["stats", "--history=10", "--json"]),
        (["stats", "--history", "3"], None),
        ([], None),
    ],
)
def test_an_option_stands_with_and_without_a_value(
    given: list[str], filled: list[str] | None
) -> None:
    values = {"--hw-cache": "d.json", "--history": "10"}
    assert fill_optional_values(given, values) == (given if filled is None else filled)


def test_a_message_is_one_line_of_printable_text() -> None:
    assert one_line("a\nb\x1b[31m c") == "a b\\x1b[31m c"
