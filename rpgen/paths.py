"""Where things are: the data that rpgen ships, and the folders it writes to.

Nothing here creates a folder; whoever writes does.
"""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The path of a shipped file or folder: `templates` or `model_database.json`.

    In a source tree they lie beside the package, in an installed wheel inside it, in
    `rpgen/_shipped/`.
    """
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.exists() else _PACKAGE.parent / name


def templates_folder() -> Path:
    return shipped("templates")


MODEL_DATABASE = "RPGEN_MODEL_DB"
"""In the environment: the model database that is used in place of the shipped one."""


def model_database_file() -> Path:
    """The database to use: the one that `RPGEN_MODEL_DB` names, or the shipped one."""
    return Path(os.environ.get(MODEL_DATABASE) or shipped_model_database())


def shipped_model_database() -> Path:
    return shipped("model_database.json")


def default_hardware_cache() -> Path:
    """The inventory file: `HARDWARE_DETECTION_CACHE`, or `hardware_cache.json` in this folder."""
    return Path(os.environ.get("HARDWARE_DETECTION_CACHE") or "hardware_cache.json")


def state_folder(project: Path | None = None) -> Path:
    """What runs leave behind (journals, reports, history): `.rpgen/` in the project's folder.

    `RPGEN_STATE_DIR` names another place.
    """
    named = os.environ.get("RPGEN_STATE_DIR")
    return Path(named) if named else (project or Path.cwd()) / ".rpgen"


def user_cache_folder() -> Path:
    """What may be shared by all projects of a user: exports, measured peaks, browsers."""
    named = os.environ.get("RPGEN_CACHE_DIR")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("rpgen"))
