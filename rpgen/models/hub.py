"""Is the hub in reach, does it have a model, and fetching it: never waiting for long.

Everything here has a deadline of its own, because a name server, a proxy or a hub that takes
the connection and then says nothing would otherwise hold a test run for minutes.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rpgen.errors import ModelUnavailableError
from rpgen.models.deadline import while_growing, within

ANSWER_SECONDS = 3.0
STALL_SECONDS = 10.0
_WANTED = (
    "*.json", "*.txt", "*.model", "*.safetensors", "*.spm", "*.bpe", "*.jinja", "*.codes",
    "1_Pooling/*",
)  # fmt: skip
_UNWANTED = ("onnx/*", "openvino/*", "original/*", "coreml/*", "*.fp16.safetensors")
_silent: dict[str, str] = {}
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True)
class HubAnswer:
    """What the hub says about a model: `found` is None where it gave no answer in time."""

    found: bool | None
    reason: str
    revision: str | None = None
    parameters: int | None = None


def hub_reach(timeout: float = 0.8) -> tuple[bool, str]:
    """Can the hub be reached? With the reason. A connection is tried once per process."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return False, "HF_HUB_OFFLINE is set"
    if constants.ENDPOINT in _silent:
        return False, _silent[constants.ENDPOINT]
    return _connection(constants.ENDPOINT, timeout)


def forget_reach() -> None:
    """Try the connection anew the next time: for tests, and after a network came up."""
    _connection.cache_clear()
    _silent.clear()


@lru_cache(maxsize=8)
def _connection(endpoint: str, timeout: float) -> tuple[bool, str]:
    import socket

    url = urlsplit(endpoint)
    host, port = _first_hop(url.scheme or "https", url.hostname or "", url.port)

    def connect() -> None:
        socket.create_connection((host, port), timeout).close()

    try:
        within(timeout, connect, "rpgen-hub-reach")  # no timeout covers the look-up of a name
    except TimeoutError:
        return False, f"{host} does not answer within {timeout:g} s"
    except (OSError, UnicodeError, OverflowError) as error:
        return False, f"{host} can't be reached: {error}"
    return True, f"{host} is in reach"


def _first_hop(scheme: str, host: str, port: int | None) -> tuple[str, int]:
    """Where the first connection goes: the proxy, where one is set for this host."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy and not proxy_bypass(host):
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return url.hostname or host, url.port or 8080
    return host, port or (80 if scheme == "http" else 443)


def ask_hub(model_id: str, revision: str | None = None) -> HubAnswer:
    """Asks the hub whether it has the model and would give it to us."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def ask() -> Any:
        return HfApi().model_info(model_id, revision=revision, timeout=ANSWER_SECONDS)

    try:
        info = within(ANSWER_SECONDS, ask, "rpgen-ask-hub")
    except GatedRepoError:
        return HubAnswer(None, f"{model_id} is gated: the hub wants an accepted licence")
    except RevisionNotFoundError:
        return HubAnswer(False, f"the hub has no revision {revision!r} of {model_id}")
    except RepositoryNotFoundError:
        return HubAnswer(False, f"the hub has no model {model_id!r} (or it is private)")
    except TimeoutError as error:
        reason = f"the hub takes the connection and does not answer ({error})"
        _silent[constants.ENDPOINT] = reason  # so that the next model does not wait again
        return HubAnswer(None, reason)
    except (HfHubHTTPError, OSError, ValueError) as error:
        return HubAnswer(None, f"the hub did not answer: {_first_line(error)}")
    except _network_errors() as error:
        return HubAnswer(None, f"the hub did not answer: {_first_line(error)}")
    counted = getattr(info.safetensors, "total", None)
    return HubAnswer(True, "the hub has it", info.sha, counted)


def fetch(model_id: str, revision: str | None = None) -> Path:
    """Brings what loading needs into the local cache. Raises ModelUnavailableError."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = _download(model_id, revision, _WANTED)
        if not any(folder.glob("*.safetensors")):
            folder = _download(model_id, revision, (*_WANTED, "*.bin"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise _unavailable(model_id, error) from error
    except _network_errors() as error:
        raise _unavailable(model_id, error) from error
    return folder


def _download(model_id: str, revision: str | None, wanted: tuple[str, ...]) -> Path:
    from huggingface_hub import constants, snapshot_download

    place = Path(constants.HF_HUB_CACHE) / ("models--" + model_id.replace("/", "--"))

    def download() -> Any:
        return snapshot_download(
            model_id,
            revision=revision,
            allow_patterns=list(wanted),
            ignore_patterns=list(_UNWANTED),
            etag_timeout=ANSWER_SECONDS,
        )

    return Path(while_growing(download, lambda: _bytes_in(place), STALL_SECONDS))


def _bytes_in(folder: Path) -> int:
    """How much has arrived so far; files come and go while a download runs."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _unavailable(model_id: str, error: BaseException) -> ModelUnavailableError:
    return ModelUnavailableError(f"{model_id} can't be fetched from the hub: {_first_line(error)}")


def _network_errors() -> tuple[type[BaseException], ...]:
    """The client library of huggingface_hub has changed over time; its errors are no OSErrors."""
    clients = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    return tuple(error for each in clients for error in (each.HTTPError, each.InvalidURL))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
