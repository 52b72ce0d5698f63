"""How a tool is reached: address, secrets, trust, proxy and pace, as its section of the configuration says."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote

MASK = "***"
SHORTEST_MASKED = 4
"""A secret of fewer characters is not looked for in other text: it would tear holes into every word."""


class PullError(Exception):
    """A tool that cannot be pulled from; the message names the source, what happened and what to do."""


class MissingKeyError(PullError):
    """A key that the tool needs is not in the source's section."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Secret:
    """Where a secret is. Its value is read when it is needed and stands in no text."""

    env: str | None = None
    file: Path | None = None

    @property
    def where(self) -> str:
        """Say where it is, for messages."""
        return f"environment variable {self.env}" if self.env else f"file {self.file}"

    def read(self) -> str:
        """Give the value.

        Raises:
            PullError: there is none.
        """
        if self.env:
            value = os.environ.get(self.env, "")
        else:
            try:
                value = Path(self.file or "").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PullError(
                    f"{self.where} cannot be read ({getattr(error, 'strerror', None) or error}); put the secret there, or "
                    "name the file that has it"
                ) from error
        if not value.strip():
            raise PullError(f"{self.where} is empty or not set; put the secret there")
        return value.strip()


@dataclass(frozen=True)
class Access:
    """What a source's section says about reaching the tool."""

    url: str
    token: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    ca_file: Path | None = None
    """Certificates to trust instead of the usual ones."""
    proxy: str | None = None
    timeout_seconds: float = 60
    """How long one answer may take to begin, and each part of it to come."""
    requests_per_minute: float | None = None
    filter: str | None = None
    """Which records, in the tool's own query language."""
    since: datetime | None = None
    """Nothing that was last changed before this UTC instant is pulled the first time; None for everything."""
    overlap: timedelta = timedelta(minutes=15)
    """How far each pull goes back behind the last one: clocks differ, and some tools show a change late."""
    sweep: timedelta = timedelta(days=1)
    """How often the tool's ids are compared with ours, where it tells no deletions."""

    def needs(self, *names: str) -> None:
        """Check that the section has these keys.

        Raises:
            PullError: one is missing.
        """
        for name in names:
            if getattr(self, name) is None:
                secret = isinstance(Access.__dataclass_fields__[name].type, str) and "Secret" in str(
                    Access.__dataclass_fields__[name].type
                )
                how = f'{name} = {{ env = "VARIABLE" }}' if secret else f'{name} = "..."'
                raise MissingKeyError(name, f"key `{name}` is missing; write {how} into the source's section")


@dataclass
class Mask:
    """Takes secrets out of text: each one as it is, quoted for an address, and as Basic authentication writes it."""

    values: set[str] = field(default_factory=set)

    def add(self, secret: str, user: str | None = None) -> str:
        """Remember a secret, and give it back."""
        forms = {secret, quote(secret, safe=""), quote(secret)}
        if user is not None:
            forms.add(base64.b64encode(f"{user}:{secret}".encode()).decode())
        self.values |= {form for form in forms if len(form) >= SHORTEST_MASKED}
        return secret

    def __call__(self, text: str) -> str:
        """Give the text without any secret."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text


class Note(str):
    """What a pull tells while it goes on; of a page that was kept, how many records the stream has, and of how many."""

    __slots__ = ("done", "stream", "total")

    stream: str | None
    done: int
    total: int | None

    def __new__(cls, text: str, stream: str | None = None, done: int = 0, total: int | None = None) -> Self:
        """Make a note."""
        made = super().__new__(cls, text)
        made.stream, made.done, made.total = stream, done, total
        return made


Tell = Callable[[str], None]
