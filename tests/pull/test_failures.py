"""What goes wrong with one source, end to end: a sentence with source and remedy, exit code 3, and nothing half done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import exports
import httpx
import pytest
from standins import IMPATIENT, VARIABLE, Standin, served
from standins.pagerduty import PagerDuty

from etl import cli, publish, refresh
from etl.pull import Pull

CONFIGURATION = """
[sources.desk]
kind = "servicenow"
files = ["exports/*.csv"]
timezone = "UTC"

[sources.paging]
kind = "pagerduty"
url = "URL"
token = { env = "STANDIN_TOKEN" }
"""


class House(NamedTuple):
    """A data directory in which both sources were published once, and its tool."""

    folder: Path
    tool: PagerDuty
    url: str

    def configure(self, old: str = "", new: str = "") -> None:
        text = CONFIGURATION.replace("URL", self.url)
        assert old in text
        (self.folder / "meantime.toml").write_text(text.replace(old, new), encoding="utf-8")

    def refresh(self, *arguments: str) -> int:
        common = ("--config", str(self.folder / "meantime.toml"), "--data", str(self.folder / "data"))
        return cli.run(["refresh", *common, *arguments])

    def published(self) -> tuple[str, dict[str, int]]:
        """The published file, and how many incidents it has of each source."""
        file = (self.folder / "data/incidents.duckdb").resolve()
        with duckdb.connect(file, read_only=True) as con:
            return file.name, dict(con.execute("select source, count(*) from incidents group by source").fetchall())


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, PagerDuty, str]]:
    folder = tmp_path_factory.mktemp("house")
    tool = PagerDuty(5, page_size=20, cap=10_000)
    with pytest.MonkeyPatch.context() as patched, served(tool) as url:
        patched.setenv(VARIABLE, tool.token)
        (folder / "exports").mkdir()
        exports.write(folder / "exports/0.csv", [exports.line(1, 0, "New", 5)])
        house = House(folder, tool, url)
        house.configure()
        assert house.refresh() == 0
        yield folder, tool, url


@pytest.fixture
def house(beginning: tuple[Path, PagerDuty, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A copy of it with a new export beside, so that the good source has something to do."""
    folder, tool, url = beginning
    shutil.copytree(folder, tmp_path / "house", symlinks=True)
    exports.write(tmp_path / "house/exports/1.csv", [exports.line(2, 0, "New", 5)])
    monkeypatch.setenv(VARIABLE, tool.token)
    monkeypatch.setattr(refresh, "Pull", partial(Pull, patience=IMPATIENT))
    yield House(tmp_path / "house", tool, url)


def fails_alone(house: House, capsys: pytest.CaptureFixture[str], *said: str) -> None:
    """The good source is published beside it, with exit code 3; without a good one nothing is, with 1."""
    capsys.readouterr()
    before = house.published()
    assert house.refresh("--source", "paging") == 1
    complaint = capsys.readouterr().err
    assert house.published() == before
    assert house.refresh() == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0] in complaint
    assert errors[0].startswith("error: paging: ")
    for part in said:
        assert part in errors[0]
    assert house.published() == ("incidents-2.duckdb", {**before[1], "desk": 2})
    assert "Traceback" not in complaint
    assert house.tool.token not in complaint


def test_a_missing_key(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure('token = { env = "STANDIN_TOKEN" }\n')
    fails_alone(house, capsys, 'key `token` is missing; write token = { env = "VARIABLE" } into the source')


def test_a_variable_that_is_not_set(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    fails_alone(house, capsys, f"environment variable {VARIABLE} is empty or not set; put the secret there")


def test_a_wrong_token(house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "out-of-date")
    fails_alone(house, capsys, "gave 401: the tool does not accept the token or password; check it")


def test_an_address_where_nobody_is(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure(house.url, "http://127.0.0.1:9")
    fails_alone(house, capsys, "127.0.0.1:9 cannot be reached", "check `url`, `proxy` and the network")


class Another(Standin):
    """What stands at an address instead of the tool: it says one thing."""

    def __init__(self, said: httpx.Response) -> None:
        super().__init__(0)
        self.said = said

    def accepts(self, _: httpx.Request) -> bool:
        return True

    def answer(self, _: httpx.Request) -> httpx.Response:
        return self.said

    def change(self) -> None:
        """Nothing ever happens."""


def test_an_address_that_the_tool_does_not_have(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    with served(Another(httpx.Response(404, json={"error": "not found"}))) as url:
        house.configure(house.url, url)
        fails_alone(house, capsys, "gave 404: the tool has no such address; check `url`")


def test_a_web_page_of_a_proxy(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    with served(Another(httpx.Response(200, html="<html><head><title>Please sign in</title></head></html>"))) as url:
        house.configure(house.url, url)
        fails_alone(
            house, capsys, "gave a web page titled 'Please sign in' (200)", "check `url`, `proxy` and the token"
        )


AUTHORITY = """
[ca]
default_ca = ours
[ours]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1
"""


def expired(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 2020 for loopback; give it and its key."""
    folder.mkdir()
    (folder / "ours.cnf").write_text(AUTHORITY.format(folder=folder))
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    key, asked, made = folder / "key.pem", folder / "asked.pem", folder / "made.pem"
    new = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=loopback",
    ]
    dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    sign = ["ca", "-batch", "-selfsign", "-notext", "-config", str(folder / "ours.cnf"), "-keyfile", str(key), *dates]
    for command in ([*new, "-keyout", str(key), "-out", str(asked)], [*sign, "-in", str(asked), "-out", str(made)]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return made, key


@contextlib.contextmanager
def encrypted(certificate: Path, key: Path) -> Iterator[str]:
    """Listen with TLS; nobody who checks the certificate gets as far as an answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, to make a certificate that has expired")
def test_an_expired_certificate(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = expired(house.folder / "tls")
    with encrypted(certificate, key) as url:
        house.configure(f'url = "{house.url}"', f'url = "{url}"\nca_file = "tls/made.pem"')
        fails_alone(house, capsys, "has a certificate that cannot be trusted", "expired", "have it renewed")


@pytest.mark.usefixtures("as_root")
def test_a_disk_that_is_full_in_the_middle_of_a_pull(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """The next run, with room, goes on where it was."""
    place = house.folder / "data/raw/paging"
    elsewhere = house.folder / "elsewhere"
    place.rename(elsewhere)
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    try:
        for folder in elsewhere.iterdir():
            shutil.copytree(folder, place / folder.name)
        with (place / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(bytes(4096)):
                pass
        # Room for the beginning of a pull.
        os.truncate(place / "ballast", (place / "ballast").stat().st_size - 8192)
        house.tool.passes(hours=1)
        for _ in range(30):
            house.tool.change()
            house.tool.passes(minutes=1)
        fails_alone(house, capsys, "cannot be written: No space left on device", "make room")
        (place / "ballast").unlink()
        assert house.refresh() == 0
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def watermark(house: House) -> list[str]:
    """Up to when each pull tells that the next one may build on."""
    found = [
        json.loads(file.read_text())["state"]["as_of"] for file in house.folder.glob("data/raw/paging/*/manifest.json")
    ]
    return sorted(found)


def test_a_pull_that_was_not_published_moves_no_watermark(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before, published = watermark(house), house.published()
    house.tool.passes(hours=5)
    house.tool.change()
    with monkeypatch.context() as broken:
        broken.setattr(publish, "swing", refuse)
        assert house.refresh() == 1
    assert (watermark(house), house.published()) == (before, published)
    assert house.refresh() == 0
    assert house.published()[0] == "incidents-3.duckdb"
    assert watermark(house)[-1] > before[-1]


def refuse(*_: object) -> None:
    raise publish.PublishError("the link cannot be swung")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"pagerduty"', '"pagerdutty"', "[sources.paging] kind is 'pagerdutty'; it must be one of"),
        ('{ env = "STANDIN_TOKEN" }', '"a-token-itself"', "[sources.paging] token: a secret may not stand in"),
        ("token =", "tokn =", "[sources.paging]: key 'tokn' is not one of"),
    ],
)
def test_a_bad_configuration_stops_before_anything_is_done(
    house: House, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    house.configure(old, new)
    before = house.published()
    assert house.refresh() == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert "a-token-itself" not in complaint
    assert house.published() == before


def test_a_pull_that_needs_more_memory_than_it_was_given_gets_it_and_is_not_pulled_again(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        house.tool.passes(hours=1)
        house.tool.change()
    finish, limits = refresh._finish, []

    def short(con: duckdb.DuckDBPyConnection, *told: Any) -> int:
        limits.append(con.execute("select current_setting('memory_limit')").fetchall()[0][0])
        if len(limits) == 1:
            raise duckdb.OutOfMemoryException("could not allocate a block")
        return finish(con, *told)

    monkeypatch.setattr(refresh, "_finish", short)
    assert house.refresh("--source", "paging") == 0
    assert limits == ["162.1 MiB", "1.3 GiB"]
    assert house.published()[0] == "incidents-2.duckdb"
    said = capsys.readouterr().err
    assert "that takes more memory: beginning again with what has been pulled" in said
    assert said.count("paging: log_entries: page 1,") == 1
