"""Setting up a source: its section of `meantime.toml`, and its secrets, each in a file that only its owner may read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.config import SECRET_KEYS, ConfigError
from etl.publish import cause

OWNER_ONLY = 0o600
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class Answers:
    """What somebody said about a tool."""

    name: str
    kind: str
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def section(self, folder: Path) -> dict[str, Any]:
        """Give the section as the configuration would say it, with the secrets in files of a folder."""
        files = {key: {"file": str(folder / f"{self.name}.{key}")} for key in self.secrets}
        return {"kind": self.kind, **self.values, **files}


def keep_secrets(answers: Answers, folder: Path) -> list[Path]:
    """Write each secret into a file of its own, which only its owner may read, and give the files.

    Raises:
        ConfigError: a file is there already, or cannot be written.
    """
    written: list[Path] = []
    for key, secret in answers.secrets.items():
        assert key in SECRET_KEYS
        file = folder / f"{answers.name}.{key}"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                written.append(file)
                # The umask may have taken from it, nothing may add to it.
                os.fchmod(descriptor, OWNER_ONLY)
                stream.write(secret + "\n")
        except OSError as error:
            for done in written:
                done.unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                raise ConfigError(f"{file}: is there already; remove it, or choose another name with --name") from error
            raise ConfigError(f"{file}: cannot be written ({cause(error)})") from error
    return written


def add_section(file: Path, answers: Answers, zone: str | None, notes: Iterable[str]) -> None:
    """Add the section to the configuration, or begin one; what is there stays as it is.

    Args:
        file: the configuration.
        answers: what was said of the tool.
        zone: the reporting zone, for a new configuration.
        notes: lines of comment below the section.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = (
        [f"timezone = {_text(zone)}               # reporting zone: cuts days, weeks and months", ""] if zone else []
    )
    lines += [f"[sources.{_key(answers.name)}]", f"kind = {_text(answers.kind)}"]
    lines += [f"{key} = {_text(value)}" for key, value in answers.values.items()]
    lines += [f"{key} = {{ file = {_text(f'{answers.name}.{key}')} }}" for key in answers.secrets]
    lines += [f"# {' '.join(note.split())}" for note in notes]
    added = "\n".join(lines) + "\n"
    fresh = file.with_name(f".{file.name}.new")
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        fresh.write_text(f"{before.rstrip()}\n\n{added}" if before.strip() else added, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"{file}: cannot be written ({cause(error)})") from error


def _text(value: str) -> str:
    """Write a TOML basic string; JSON's escapes are TOML's, too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


__all__ = ["OWNER_ONLY", "Answers", "add_section", "keep_secrets"]
