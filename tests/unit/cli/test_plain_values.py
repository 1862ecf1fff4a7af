"""Values that take the short way are what they would be on the long one."""

from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from rpgen.cli.plain_values import PlainCommand, PlainGroup, as_plain, is_plain


class Kind(StrEnum):
    ONE = "one"


def an_app(plain: bool) -> typer.Typer:
    app = typer.Typer(cls=PlainGroup) if plain else typer.Typer()

    def version(wanted: bool) -> None:
        if wanted:
            print("1.0")
            raise typer.Exit

    @app.callback()
    def group(shown: Annotated[bool, typer.Option("--version", callback=version)] = False) -> None:
        pass

    def command(
        paths: Annotated[list[str] | None, typer.Argument()] = None,
        name: Annotated[str | None, typer.Option()] = None,
        names: Annotated[list[str] | None, typer.Option()] = None,
        where: Annotated[Path, typer.Option()] = Path("here"),
        folder: Annotated[Path | None, typer.Option()] = None,
        kind: Annotated[Kind, typer.Option()] = Kind.ONE,
        other: Annotated[Kind | None, typer.Option()] = None,
        count: Annotated[int, typer.Option(min=0)] = 1,
        share: Annotated[float, typer.Option(min=0)] = 0.5,
        on: Annotated[bool, typer.Option("--on/--off")] = True,
    ) -> None:
        print(repr((paths, name, names, where, folder, kind, other, count, share, on)))

    more = {"cls": PlainCommand} if plain else {}
    app.command("command", **more)(command)
    return app


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a b --name n --names x --names y --where w --folder . --kind one --other one"
        " --count 3 --share 2 --off",
        "--where /dev/null --folder /nowhere/at/all",
        "--name= --where= --names=",
        "--kind two",
        "--other ONE",
        "--count -1",
        "--count x",
        "--share -0.5",
        "--share nan",
        "--name",
        "--nothing",
        "--help",
    ],
)
def test_a_command_takes_and_refuses_the_same(words: str) -> None:
    ways = [
        CliRunner().invoke(an_app(plain), ["command", *words.split()]) for plain in (False, True)
    ]
    told = [(way.exit_code, way.output, repr(way.exception)) for way in ways]
    assert told[0] == told[1]
    assert told[0][1]


@pytest.mark.parametrize("words", [["--version"], ["--help"], [], ["--versoin"]])
def test_what_stands_before_the_command_does_too(words: list[str]) -> None:
    ways = [CliRunner().invoke(an_app(plain), words) for plain in (False, True)]
    assert (ways[0].exit_code, ways[0].output) == (ways[1].exit_code, ways[1].output)


@pytest.mark.parametrize(
    ("value", "annotation", "plain"),
    [
        ("text", str, True),
        (["a", "b"], list[str], True),
        (("a",), list[str], True),
        (("a", 1), list[str], False),
        ("a", list[str], False),
        ("7", int, False),
        (7, int, True),
        (7, float, False),
        (Kind.ONE, Kind, True),
        ("one", Kind, False),
        (Path("x"), Path, True),
        ("nowhere", Path, True),
        ("text", Any, False),
    ],
)
def test_only_what_needs_no_question_is_plain(value: Any, annotation: Any, plain: bool) -> None:
    assert is_plain(value, annotation) is plain


def test_a_path_that_may_not_be_read_goes_the_long_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert not is_plain(str(tmp_path), Path)
    assert is_plain(str(tmp_path / "new"), Path)


def test_paths_and_lists_are_made() -> None:
    assert as_plain("a/b", Path) == Path("a/b")
    assert as_plain(("a", "b"), list[str]) == ["a", "b"]


def test_without_the_names_of_typer_nothing_is_touched() -> None:
    params = [SimpleNamespace(), SimpleNamespace(get_runtime_param=lambda: 1)]
    from rpgen.cli import plain_values

    assert [plain_values._shortened(each) for each in params] == params
    assert params[1].get_runtime_param() == 1
