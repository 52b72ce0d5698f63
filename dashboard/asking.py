"""Questions in SQL, asked of one published file by a process of their own: they can be waited for, and given up."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dashboard import fenced

EXAMPLE = (Path(__file__).parent / "sql" / "question.sql").read_text(encoding="utf-8").rstrip()
"""A question to begin with."""
SECONDS = 20
"""What a question may take."""
AT_ONCE = 4
"""So many questions are worked on at a time, of all readers together."""
_running: set[Question] = set()


class TooManyError(Exception):
    """Others' questions are still being worked on."""


@dataclass(eq=False)
class Question:
    """A question that is being answered, or has been: then either `frame` or `trouble` is there."""

    file: Path
    text: str
    seconds: int = SECONDS
    frame: pl.DataFrame | None = None
    trouble: str | None = None
    took_seconds: float = 0.0
    _process: subprocess.Popen[bytes] = field(init=False, repr=False)
    _thread: threading.Thread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin.

        Raises:
            TooManyError: others' questions are still being worked on.
        """
        if len(_running) >= AT_ONCE:
            raise TooManyError(f"{AT_ONCE} questions are being worked on; ask again when one of them is done")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.fenced", str(self.file), str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
            # It needs nothing of what this process was told, and secrets may be in it.
            env={},
        )
        _running.add(self)
        self._thread = threading.Thread(target=self._wait, name="question", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """There is an answer, or it is known that there will be none."""
        return not self._thread.is_alive()

    @property
    def has_more(self) -> bool:
        """More rows would have come than are kept."""
        return self.frame is not None and self.frame.height > fenced.MOST_ROWS

    def give_up(self) -> None:
        """Stop working on it."""
        self._process.kill()

    def wait(self, seconds: float | None = None) -> Question:
        """Wait until it is done."""
        self._thread.join(seconds)
        return self

    def _wait(self) -> None:
        began = time.monotonic()
        try:
            out, errors = self._process.communicate(self.text.encode())
        finally:
            _running.discard(self)
        self.took_seconds = time.monotonic() - began
        code = self._process.returncode
        if code == 0:
            self.frame = pl.read_ipc_stream(io.BytesIO(out))
        elif code == -signal.SIGALRM:
            self.trouble = f"It took longer than {self.seconds} seconds and was stopped. Ask for fewer rows or days."
        elif code == -signal.SIGKILL:
            self.trouble = "It was stopped."
        else:
            self.trouble = (
                errors.decode(errors="replace").strip() or "It ended without an answer: it needs too much memory."
            )
