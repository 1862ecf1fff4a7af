"""Unit tests touch neither the network nor other processes; one that tries fails loudly."""

import socket
import subprocess
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    connect = socket.socket.connect

    def loopback_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            pytest.fail(f"a unit test connects to {address}")
        connect(self, address)

    def no_process(*arguments: Any, **options: Any) -> NoReturn:
        pytest.fail(f"a unit test starts a process: {arguments or options}")

    monkeypatch.setattr(socket.socket, "connect", loopback_only)
    if not request.node.get_closest_marker("processes"):
        monkeypatch.setattr(subprocess.Popen, "__init__", no_process)
