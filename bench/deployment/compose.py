"""docker-compose.yaml as processes need it: its variables filled in, its names and paths those of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from contextual_rag.settings import PROJECT

__all__ = ["FILE", "Compose", "filled"]

FILE: Final = PROJECT / "docker-compose.yaml"
_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?:(:?[-?])([^}]*))?\}")
_DOLLAR: Final = "\0"


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Fill in variables as Compose does: `${A}`, `${A-b}`, `${A:-b}`, `${A:?what to do}`; `$$` is a dollar.

    Raises ValueError with "what to do" if a required variable is missing.
    """

    def value(found: re.Match[str]) -> str:
        name, operator, other = found.groups()
        given = variables.get(name)
        if given is None or (not given and (operator or "").startswith(":")):
            if operator and operator.endswith("?"):
                raise ValueError(f"{name} is not set. {other}")
            return other or ""
        return given

    return _VARIABLE.sub(value, text.replace("$$", _DOLLAR)).replace(_DOLLAR, "$")


class Compose:
    """The services of the file. `places` says what stands here for a text there, such as `redis:6379`, or `/data`."""

    def __init__(self, variables: Mapping[str, str], places: Mapping[str, str]) -> None:
        self._places = dict(sorted(places.items(), key=lambda place: -len(place[0])))
        self._services: dict[str, Any] = yaml.safe_load(filled(FILE.read_text("utf-8"), variables))["services"]

    def here(self, text: str) -> str:
        """Return a text with this machine's places."""
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables of a service."""
        named: dict[str, Any] = self._services[service].get("environment", {})
        # Compose fills in variables after it has read the file, so an empty one stays a text.
        return {name: self.here("" if value is None else str(value)) for name, value in named.items()}

    def command(self, service: str) -> list[str]:
        """Return the command of a service, without its entrypoint."""
        command = self._services[service].get("command", [])
        return [self.here(part) for part in (command.split() if isinstance(command, str) else command)]

    def health_check(self, service: str) -> list[str]:
        """Return the command of a service's health check."""
        kind, *command = self._services[service]["healthcheck"]["test"]
        words = [self.here(part) for part in command]
        return ["sh", "-c", words[0]] if kind == "CMD-SHELL" else words
