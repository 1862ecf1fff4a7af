"""Where this user gets npm packages from: the settings of npm, read without npm.

    NPM_CONFIG_REGISTRY, ./.npmrc, ~/.npmrc, /etc/npmrc, npm's own default

A line `@scope:registry=` goes before `registry=`. Proxies are those of the environment, else
npm's `https-proxy` and `proxy`.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT = "https://registry.npmjs.org/"

_VARIABLE = re.compile(r"\$\{(\w+)\??\}")
_PREFIX = "npm_config_"


@dataclass(frozen=True)
class NpmSettings:
    """What npm is told, the first place that says something counting."""

    values: Mapping[str, str] = field(default_factory=dict)

    def registry(self, package: str) -> str:
        """The registry of a package, with a slash at its end."""
        scope = package.partition("/")[0] if package.startswith("@") else None
        named = self.values.get(f"{scope}:registry") or self.values.get("registry") or DEFAULT
        return named.rstrip("/") + "/"

    @property
    def proxies(self) -> dict[str, str]:
        """By the scheme of what is fetched. A proxy for https serves http too, as npm has it."""
        secure = self.values.get("https-proxy") or self.values.get("proxy")
        plain = self.values.get("proxy") or secure
        found = {"https": secure, "http": plain}
        return {scheme: address for scheme, address in found.items() if address}

    @property
    def authorities(self) -> str | None:
        """A file of certificates to trust beside the system's."""
        return self.values.get("cafile")


def npm_settings(
    env: Mapping[str, str] | None = None, files: Iterable[Path] | None = None
) -> NpmSettings:
    env = os.environ if env is None else env
    values: dict[str, str] = {}
    for file in reversed(list(_usual_files(env) if files is None else files)):
        values |= _read(file, env)
    return NpmSettings(values | _of_environment(env))


def parse(text: str, env: Mapping[str, str]) -> dict[str, str]:
    """The settings in the text of an `.npmrc`. `${NAME}` is taken from the environment."""
    values = {}
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;[" or "=" not in line:
            continue
        name, _, value = line.partition("=")
        value = _VARIABLE.sub(lambda found: env.get(found[1], found[0]), value.strip())
        values[name.strip()] = value.strip("\"'")
    return {name: value for name, value in values.items() if value not in ("", "null")}


def _read(file: Path, env: Mapping[str, str]) -> dict[str, str]:
    try:
        return parse(file.read_text(encoding="utf-8", errors="replace"), env)
    except OSError:
        return {}


def _usual_files(env: Mapping[str, str]) -> tuple[Path, ...]:
    settings = _of_environment(env)
    user = Path(settings.get("userconfig") or Path.home() / ".npmrc")
    everybody = settings.get("globalconfig")
    found = [Path(everybody)] if everybody else [Path("/usr/etc/npmrc"), Path("/etc/npmrc")]
    return (Path(".npmrc"), user, *found)


def _of_environment(env: Mapping[str, str]) -> dict[str, str]:
    """npm takes these in any case, with underscores for dashes."""
    found = {}
    for name, value in env.items():
        lower = name.lower()
        if lower.startswith(_PREFIX) and value:
            found[lower.removeprefix(_PREFIX).replace("_", "-")] = value
    return found
