"""`rpgen detect --install-browser` as users call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rpgen.hardware.browser_files import CHROMIUM


def install(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rpgen", "detect", "--install-browser", *options]
    env = {**os.environ, "no_proxy": "127.0.0.1", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_what_is_installed_is_said_again(browser_files: object) -> None:
    found = install()
    assert (found.returncode, found.stderr) == (0, "")
    assert [line.partition(" is in ")[0] for line in found.stdout.splitlines()] == [
        "@sparticuz/chromium 153.0.0",
        "onnxruntime-web 1.30.0",
    ]
    places = json.loads(install("--json").stdout)["installed"]
    assert all(Path(place).is_dir() for place in places.values())


def test_without_a_registry_there_is_one_sentence(tmp_path: Path) -> None:
    registry = "http://127.0.0.1:9/npm"
    found = install(RPGEN_CACHE_DIR=str(tmp_path), NPM_CONFIG_REGISTRY=registry)
    assert found.returncode == 8
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1
    assert f"{registry}/{CHROMIUM.address}" in found.stderr
    assert "sparticuz-chromium-153.0.0.tgz" in found.stderr


def test_detect_names_the_command(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "rpgen", "detect", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "RPGEN_CACHE_DIR": str(tmp_path)},
        check=True,
    )
    backends = json.loads(found.stdout)["backends"]
    for name in ("webgpu", "webnn"):
        assert backends[name]["remedy"] == "rpgen detect --install-browser"
