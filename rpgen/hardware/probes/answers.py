"""Questions to a package that is asked in a process of its own.

Importing OpenVINO or ONNX Runtime takes half a second and loads drivers, which may hang or
crash: only the child pays for that.
"""

import json
from typing import Any

from rpgen.hardware.surroundings import Surroundings

TIMEOUT = 30.0
_MARK = "rpgen-answer:"


def ask_python(here: Surroundings, code: str, timeout: float = TIMEOUT) -> tuple[Any, str]:
    """Run `code`, which sets `answer`, in a child. Returns (answer, "") or (None, the reason)."""
    program = f"{code}\nimport json\nprint('\\n{_MARK}' + json.dumps(answer))\n"
    finished = here.run([here.python, "-c", program], timeout)
    for line in reversed(finished.output.splitlines()):
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK)), ""
    said = [line for line in finished.error.splitlines() if line.strip()]
    if finished.status is not None and finished.status < 0:
        return None, f"it crashed with signal {-finished.status}"
    return None, said[-1].strip() if said else "it gave no answer"
