"""A process of its own that answers one question in SQL: it reads one published file, and can do nothing else.

Run as `python -m dashboard.fenced FILE SECONDS`, with the question on stdin. It writes the answer's first rows to stdout
as an Arrow stream; what went wrong is on stderr, in one sentence. Whatever a question does, it happens here: memory,
time, threads and files are bounded by the system, so that nobody else is hurt, and DuckDB itself opens no file but the
one and changes no setting.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

# The rows that are copied once more are those of an answer: few.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
MOST_ROWS = 10_000
MOST_BYTES = 32 << 20
"""Of an answer; a browser gets all of it."""
MEMORY = "512MB"
ADDRESS_SPACE = 3 << 30
"""Of the whole process, in bytes: DuckDB, Python and Arrow reserve far more addresses than they use memory."""
STATEMENTS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
FENCE: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": MEMORY,
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}
CLOSED = ("set enable_external_access = false", "set lock_configuration = true")
"""Said last: afterwards nothing can be set."""


def bound(seconds: int) -> None:
    """Bound this process: no file grows, memory and time end, and others go first."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    # It ends by the system's hand, even within a call that never comes back.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def answer(file: Path, question: str) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """Answer a question with its first rows, one more than are shown.

    Raises:
        ValueError: it is not one question, or its answer is too large.
        duckdb.Error: DuckDB cannot or may not answer it.
    """
    con = duckdb.connect(file, read_only=True, config=FENCE)
    for setting in CLOSED:
        con.execute(setting)
    statements = con.extract_statements(question)
    if len(statements) != 1:
        raise ValueError(
            "there is no question in it" if not statements else "ask one question at a time, without a semicolon inside"
        )
    if statements[0].type not in STATEMENTS:
        raise ValueError("only questions are answered here: select, with, from, describe, summarize or explain")
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    reader: Any = con.execute(statements[0]).to_arrow_reader(2048)
    while rows <= MOST_ROWS and (batch := next(reader, None)) is not None:
        batches.append(batch.slice(0, MOST_ROWS + 1 - rows))
        rows += batches[-1].num_rows
        size += batches[-1].nbytes
        if size > MOST_BYTES:
            raise ValueError(f"the answer is larger than {MOST_BYTES >> 20} MB; ask for less of it")
    return reader.schema, batches


def main() -> int:
    """Answer the question on stdin."""
    file, seconds = Path(sys.argv[1]), int(sys.argv[2])
    bound(seconds)
    try:
        schema, batches = answer(file, sys.stdin.read())
    except (ValueError, duckdb.Error) as error:
        sys.stderr.write(str(error))
        return 1
    except MemoryError:
        sys.stderr.write(f"it needs more memory than a question may have ({MEMORY})")
        return 1
    with pa.ipc.new_stream(sys.stdout.buffer, schema) as sink:
        for batch in batches:
            sink.write_batch(batch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
