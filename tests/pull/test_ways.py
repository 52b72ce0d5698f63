"""What may lie between us and a tool: an authority of one's own that vouches for it, and a proxy that leads there."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from etl.pull import Access, Client, Patience, PullError

IMPATIENT = Patience(attempts=1, wait_first=0, wait_most=0, jitter=0)


class Tells(BaseHTTPRequestHandler):
    """Answers each request with what it was asked for, as the request's first line has it."""

    def do_GET(self) -> None:
        body = f'{{"asked": "{self.path}", "host": "{self.headers["Host"]}"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback; give host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tells)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, to make a certificate")
def test_an_authority_of_ones_own_is_trusted_once_it_is_named(tmp_path: Path) -> None:
    key, made = tmp_path / "key.pem", tmp_path / "made.pem"
    names = ("-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *names)
    subprocess.run(["openssl", *new, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    with serving(context) as host:
        with pytest.raises(PullError, match=r"cannot be trusted .*name its authority with `ca_file`"):
            Client("desk", Access(f"https://{host}"), patience=IMPATIENT).get("tickets")
        trusting = Client("desk", Access(f"https://{host}", ca_file=made), patience=IMPATIENT)
        assert trusting.get("tickets").document == {"asked": "/tickets", "host": host}
        trusting.close()


def test_a_configured_proxy_is_the_way_to_the_tool() -> None:
    with serving() as proxy:
        through = Client("desk", Access("http://desk.invalid/api", proxy=f"http://{proxy}"), patience=IMPATIENT)
        asked = through.get("tickets").document
        through.close()
    assert asked == {"asked": "http://desk.invalid/api/tickets", "host": "desk.invalid"}
