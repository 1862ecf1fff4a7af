"""What every test gets: no hub, no state outside its own folders, none of the user's settings."""

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

_SETTINGS = (
    "TEST_HARDWARE_PREFERENCES",
    "RESOURCE_POOL_LOW_MEMORY",
    "HARDWARE_DETECTION_CACHE",
    "RPGEN_STATE_DIR",
    "RPGEN_WEIGHTS",
    "RPGEN_LEVEL",
    "RPGEN_BASELINES",
    "RPGEN_MEMORY_BUDGET",
    "RPGEN_DEVICE_BUDGET",
    "RPGEN_MODEL_DB",
    "RPGEN_REQUIRE_DEVICE",
    "RPGEN_CLEANUP_AGE",
    "RPGEN_HOST_NAME",
    "RPGEN_BROWSER",
    "RPGEN_SOFTWARE_ADAPTERS",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_ACTIONS",
    "GITHUB_WORKSPACE",
)


@pytest.fixture(autouse=True)
def _own_surroundings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing of the person who runs the tests reaches them, and nothing of theirs is touched."""
    for name in _SETTINGS:
        monkeypatch.setenv(name, "")  # so that it is put back even where a test sets it by hand
        monkeypatch.delenv(name)
    cache: Path = tmp_path_factory.getbasetemp() / "rpgen-cache"
    monkeypatch.setenv("RPGEN_CACHE_DIR", str(cache))
