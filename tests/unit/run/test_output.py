"""The worker's log stays bounded, and whoever reads it finds something at any moment."""

from pathlib import Path

import pytest

from rpgen.run import output


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(output, "LOG_LIMIT", 1000)
    path = tmp_path / "worker.log"
    path.write_bytes(b"x" * 1001)
    return path


def test_a_log_that_is_full_says_so_and_goes_on(log: Path) -> None:
    with log.open("ab", buffering=0) as worker:
        output.bound(log)
        worker.write(b"after\n")
    said = output.printed_since(900, str(log))
    assert said is not None
    assert said.startswith("[... what was printed before filled the log")
    assert said.endswith("]\nafter")


def test_while_it_is_emptied_it_is_never_found_empty(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reader finds after each call to the system that changes the file."""
    found: list[int] = []
    opened = Path.open

    class Watched:
        def __init__(self, file: object) -> None:
            self._file = file

        def __enter__(self) -> "Watched":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            def call(*given: object) -> object:
                result = getattr(self._file, name)(*given)
                found.append(log.stat().st_size)
                return result

            return call

    monkeypatch.setattr(Path, "open", lambda path, *a, **k: Watched(opened(path, *a, **k)))
    output.bound(log)
    assert len(found) == 2
    assert min(found) > 0


def test_a_log_within_its_bounds_is_left_alone(log: Path) -> None:
    log.write_bytes(b"x" * 1000)
    output.bound(log)
    assert log.read_bytes() == b"x" * 1000
