"""What the checks of a file told, for the journal. Never imports the checks, which need torch."""

import sys
from typing import Any

_CHECKS = "rpgen.checks.told"


def reset_told() -> None:
    told = _told()
    if told is not None:
        told.reset()


def told_by_checks() -> dict[str, Any]:
    """The fields of `events.ChecksTold`; none where no file has used the checks yet."""
    told = _told()
    if told is None:
        return {}
    return {
        "level": told.level,
        "reason": told.reason,
        "remarks": tuple(told.remarks),
        "difference": told.difference,
        "difference_in": told.difference_in,
    }


def _told() -> Any | None:
    return getattr(sys.modules.get(_CHECKS), "TOLD", None)
