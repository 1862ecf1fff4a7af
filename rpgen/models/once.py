"""Values that are worked out once for the object that has them."""

import threading
from collections.abc import Callable
from typing import Any


class Once:
    """Values that are made once. A copy of it, or one that is sent elsewhere, starts anew."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __call__(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self.made:
                self.made[key] = make()
            return self.made[key]

    def __reduce__(self) -> tuple[type["Once"], tuple[()]]:
        return Once, ()
