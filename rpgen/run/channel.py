"""What supervisor and worker agree on: the settings of a worker, and the commands it gets.

Commands are JSON lines on the worker's standard input; everything the worker has to say goes
to the journal. The end of the input without an `Exit` means that the supervisor is dead.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What a worker is started with. `folders` decide pytest's root and first conftest files.

    `failures_left` is how many more bad results end the run, 0 for no limit. With
    `late_conftest` those files are loaded with the tests of their folder, so that a broken one
    costs only these. A file that leaves more than `fail_on_leak` MB behind has failed.
    """

    run: str
    worker: int
    parent: int
    journal: str
    log: str
    stack: str
    pytest_cache: str
    folders: tuple[str, ...]
    keyword: str | None = None
    failures_left: int = 0
    cleanup_age: float = 0.5
    import_models: bool = False
    late_conftest: bool = False
    repeat: int = 1
    reruns: int = 0
    fail_on_leak: float | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        values = json.loads(text)
        return cls(**{**values, "folders": tuple(values["folders"])})


@dataclass(frozen=True)
class RunFile:
    """Run a file: all of it, or `tests` (parts after `path::`).

    `ran` has the last turn of each test that was run already, by an earlier worker: its id,
    round, attempt, and whether it went wrong.

    `device` is what it runs on, where that is not the same for all files.

    `upcoming` has the pool's keys of the models that this file and the next ones will ask for,
    in order, as far as the files say so, `upcoming_files` for each key the first of these files.
    """

    path: str
    name: str
    tests: tuple[str, ...] = ()
    ran: tuple[tuple[str, int, int, bool], ...] = ()
    needs_models: bool = False
    upcoming: tuple[str, ...] = ()
    upcoming_files: Mapping[str, str] = field(default_factory=dict, hash=False)
    device: str | None = None


@dataclass(frozen=True)
class Exit:
    """Nothing more will come: finish and end."""


Command = RunFile | Exit


def encode(command: Command) -> bytes:
    values: dict[str, Any] = {"do": type(command).__name__, **asdict(command)}
    return json.dumps(values).encode() + b"\n"


def decode(line: bytes) -> Command:
    values = json.loads(line)
    if values.pop("do") == Exit.__name__:
        return Exit()
    lists = {name: tuple(values[name]) for name in ("tests", "upcoming")}
    return RunFile(**{**values, **lists, "ran": tuple(map(tuple, values["ran"]))})
