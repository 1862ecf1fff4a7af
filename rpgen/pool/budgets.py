"""How much the pool may take, from the environment: what `rpgen run --memory-budget` sets."""

import logging
import os
from collections.abc import Mapping

from rpgen.pool.memory import HOST

logger = logging.getLogger("rpgen.pool")

MEMORY = "RPGEN_MEMORY_BUDGET"
DEVICE = "RPGEN_DEVICE_BUDGET"
_MOST_DEVICES = 64


def budgets_mb(environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """MB by device, without those that have no limit."""
    given = os.environ if environment is None else environment
    budgets = {}
    host, device = _read(given, MEMORY), _read(given, DEVICE)
    if host is not None:
        budgets[HOST] = host
    if device is not None:
        accelerators = [
            f"{kind}:{index}" for kind in ("cuda", "xpu") for index in range(_MOST_DEVICES)
        ]
        budgets.update(dict.fromkeys([*accelerators, "mps"], device))
    return budgets


def _read(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        logger.warning("%s is left out: %r is not a number of MB", name, text)
        return None
