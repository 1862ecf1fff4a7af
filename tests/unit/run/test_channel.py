"""What supervisor and worker say to each other comes through as it was."""

import pytest

from rpgen.run.channel import Command, Exit, RunFile, Settings, decode, encode


@pytest.mark.parametrize(
    "command",
    [
        Exit(),
        RunFile("/a/ü\n\udcff.py", "ü", ("C::t",), (("ü::C::u", 1, 2, True),), True, ("vision:m",)),
        RunFile("/a.py", "a.py"),
    ],
)
def test_a_command_is_one_line(command: Command) -> None:
    line = encode(command)
    assert line.count(b"\n") == 1
    assert decode(line) == command


def test_settings() -> None:
    settings = Settings("r", 1, 2, "j", "l", "s", "c", ("/a", "/b"), keyword="x and y")
    assert Settings.from_json(settings.to_json()) == settings
