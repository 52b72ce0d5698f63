"""What the README says about serving, taken from it word by word: its snippets, and an nginx that runs its own."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def snippet(kind: str) -> str:
    """Give the README's one block of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def free_port() -> int:
    """Find a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def configuration(folder: Path, listening: int, served: int) -> Path:
    """Write a configuration of nginx around the README's locations."""
    locations = snippet("nginx")
    assert "127.0.0.1:8501" in locations
    temporary = "\n".join(
        f"    {name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
{temporary}
    server {{
        listen 127.0.0.1:{listening};
        {locations.replace("127.0.0.1:8501", f"127.0.0.1:{served}")}
    }}
}}
""",
        encoding="utf-8",
    )
    return file


@contextmanager
def nginx(folder: Path, served: int) -> Iterator[str]:
    """Run nginx before a server; give its address."""
    listening = free_port()
    file = configuration(folder, listening, served)
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(file)], stderr=subprocess.PIPE) as running:
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", listening), timeout=1).close()
                    break
                except OSError:
                    assert running.poll() is None, running.stderr and running.stderr.read()
            yield f"http://127.0.0.1:{listening}"
        finally:
            running.terminate()
