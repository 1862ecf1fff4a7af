"""Whether the accelerators that a test used still work.

After some errors, a failed assertion in a kernel say, every later call of the process fails
on that device, whoever makes it. Only a fresh process helps.
"""

import sys

_KINDS = ("cuda", "xpu")


def broken_accelerator() -> str | None:
    """What the device says, None where nothing is wrong. Opens no device by itself."""
    torch = sys.modules.get("torch")
    for kind in _KINDS:
        module = getattr(torch, kind, None)
        if module is None or not module.is_initialized():
            continue
        try:
            module.synchronize()
        except Exception as error:  # noqa: BLE001 - RuntimeError, or torch's own of newer versions
            said = (str(error).splitlines() or [type(error).__name__])[0]
            return f"{kind} can't be used any more in this process: {said}"
    return None
