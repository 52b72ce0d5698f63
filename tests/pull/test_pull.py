"""The pull engine against a stand-in: patience, errors, paging, and a pull that is broken off and goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl.pull import (
    Access,
    Basic,
    Client,
    OAuth,
    Page,
    Patience,
    Pull,
    PullError,
    Secret,
    Token,
    TooManyError,
    begin,
    by_id,
    by_key,
    by_link,
    by_offset,
    by_one,
    by_page,
    by_token,
    by_window,
    open_streams,
)
from etl.sources import Options

Handler = Callable[[httpx.Request], httpx.Response]
URL = "https://desk.example.com/api"
IMPATIENT = Patience(attempts=4, wait_first=0, wait_most=0, jitter=0)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK", "s3cret/token")


def access(**told: Any) -> Access:
    return Access(**{"url": URL, "token": Secret(env="DESK"), "password": Secret(env="DESK"), **told})


def client(handler: Handler, authentication: Any = None, **told: Any) -> Client:
    slept: list[float] = []
    made = Client(
        "desk",
        told.pop("access", access()),
        authentication or Token(),
        **{"patience": IMPATIENT, "transport": httpx.MockTransport(handler), "sleep": slept.append, **told},
    )
    made.slept = slept  # type: ignore[attr-defined]
    return made


def answers(*given: httpx.Response | Exception) -> Handler:
    rest = iter(given)

    def handle(_: httpx.Request) -> httpx.Response:
        answer = next(rest)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handle


OK = {"items": [{"id": 1}]}


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(
            429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
        ),
        httpx.ReadError("connection lost"),
        httpx.ReadTimeout("too slow"),
        httpx.Response(200, content=b'{"items": [{"id": '),
    ],
    ids=["503", "seconds", "date", "lost", "slow", "cut off"],
)
def test_what_may_pass_is_tried_again(trouble: httpx.Response | Exception) -> None:
    assert client(answers(trouble, httpx.Response(200, json=OK))).get("tickets").document == OK


def test_a_wait_that_is_too_long_is_left_to_the_next_run() -> None:
    asked = client(answers(httpx.Response(429, headers={"Retry-After": "7200"})))
    with pytest.raises(PullError) as error:
        asked.get("tickets")
    assert str(error.value) == (
        "desk: GET https://desk.example.com/api/tickets gave 429 Too Many Requests and asks to wait 7200 s; "
        "the next run continues from here"
    )


def test_patience_has_an_end() -> None:
    with pytest.raises(PullError, match="503 Service Unavailable, 4 times; the next run continues from here"):
        client(lambda _: httpx.Response(503)).get("tickets")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401), "401: the tool does not accept the token or password"),
        (httpx.Response(403, text="no right"), "403: this user may not read that; no right"),
        (httpx.Response(404, json={}), "404: the tool has no such address; check `url`"),
        (
            httpx.Response(302, headers={"Location": "/NoAuth/Login.html"}),
            "leads to /NoAuth/Login.html (302); a login page",
        ),
        (
            httpx.Response(200, html="<html><title>Corporate \n Proxy</title></html>"),
            "gave a web page titled 'Corporate Proxy' (200) instead of data",
        ),
        (httpx.Response(200, json={"error": {"message": "no"}}), 'gave 200, but tells an error: {"message": "no"}'),
        (httpx.Response(200, json={"things": []}), "gave no list under 'items'; is `url` the tool's interface"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "desk.example.com cannot be reached"),
        (
            httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"),
            "has a certificate that cannot be trusted",
        ),
        (httpx.ProxyError("407 Proxy Authentication Required"), "the proxy does not let us through"),
    ],
    ids=["401", "403", "404", "login", "web page", "200 with an error", "no list", "no host", "certificate", "proxy"],
)
def test_what_will_not_pass_is_told_with_its_remedy(answer: httpx.Response | Exception, said: str) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(PullError) as error:
        list(by_offset(client(handle), "tickets", {}, "items"))
    assert str(error.value).startswith("desk: ")
    assert said in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "echo", ["s3cret/token", "s3cret%2Ftoken", "bWU6czNjcmV0L3Rva2Vu"], ids=["plain", "quoted", "basic"]
)
def test_a_secret_is_masked_wherever_it_comes_back(echo: str) -> None:
    asked = client(lambda _: httpx.Response(400, text=f"bad token {echo}"), Basic(fallback_user="me"))
    with pytest.raises(PullError, match=r"bad token \*\*\*"):
        asked.get("tickets", {"key": "s3cret/token"})


def test_a_secret_that_was_replaced_is_read_again_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.headers["Authorization"] == "Bearer another" else 401, json=OK)

    asked = client(handle)
    with pytest.raises(PullError, match="401"):
        asked.get("tickets")
    monkeypatch.setenv("DESK", "another")
    assert asked.get("tickets").document == OK


def test_oauth_gets_another_token_when_the_old_one_ends() -> None:
    given: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth_token"):
            given.append(f"token-{len(given)}")
            return httpx.Response(200, json={"access_token": given[-1], "expires_in": 3600, "refresh_token": "r" * 9})
        return httpx.Response(200 if request.headers["Authorization"] == "Bearer token-1" else 401, json=OK)

    asked = client(handle, OAuth("oauth_token"), access=access(client_id="me", client_secret=Secret(env="DESK")))
    assert asked.get("tickets").document == OK
    assert given == ["token-0", "token-1"]


def test_the_token_goes_to_no_other_host() -> None:
    with pytest.raises(PullError, match=r"sends us to https://evil\.example\.com"):
        client(lambda _: httpx.Response(200, json=OK)).get("https://evil.example.com/tickets")


def test_a_spent_budget_is_waited_for_and_a_given_one_kept() -> None:
    reset = httpx.Response(200, json=OK, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"})
    asked = client(answers(reset, httpx.Response(200, json=OK)))
    asked.get("tickets")
    asked.get("tickets")
    assert [round(pause) for pause in asked.slept] == [30]  # type: ignore[attr-defined]
    paced = client(lambda _: httpx.Response(200, json=OK), access=access(requests_per_minute=60))
    for _ in range(3):
        paced.get("tickets")
    assert [round(pause) for pause in paced.slept] == [1, 2]  # type: ignore[attr-defined]


RECORDS = [{"id": number, "at": number // 7} for number in range(250)]


def ids(pages: Iterator[Page]) -> list[int]:
    return [record["id"] for page in pages for record in page.records]


def hidden(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    """What the reader may see: nothing of the ids from 100 to 199."""
    return [row for row in rows if not 100 <= row["id"] < 200]


SEEN = [row["id"] for row in hidden(RECORDS)]


def server(request: httpx.Request) -> httpx.Response:
    asked = dict(request.url.params)
    size = min(int(asked.get("limit", 100)), 50)
    low = int(asked.get("offset", 0)) or (int(asked.get("page", 1)) - 1) * size or int(asked.get("cursor", 0))
    rows = hidden(RECORDS[low : low + size])
    after = low + size
    following = {"Link": f'<{URL}/tickets?cursor={after}>; rel="next"'} if after < len(RECORDS) else {}
    body = {"items": rows, "total": 250, "pages": 5, "next": str(after) if after < 250 else None}
    return httpx.Response(200, json=body, headers=following)


def total(answer: Any) -> int:
    return answer.document["total"]


STRATEGIES: dict[str, Callable[[Client, Any], Iterator[Page]]] = {
    "offset": lambda c, start: by_offset(c, "tickets", {}, "items", size=50, total=total, start=start),
    "page": lambda c, start: by_page(
        c, "tickets", {}, "items", names=("page", "limit"), size=50, pages=lambda a: a.document["pages"], start=start
    ),
    "link": lambda c, start: by_link(c, "tickets", {}, "items", start=start),
    "token": lambda c, start: by_token(c, "tickets", {}, "items", start=start),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_hidden_rows_end_no_paging_and_a_broken_one_goes_on(name: str) -> None:
    strategy = STRATEGIES[name]
    assert ids(strategy(client(server), None)) == SEEN
    for kept in range(1, 5):
        pages = [page for page, _ in zip(strategy(client(server), None), range(kept), strict=False)]
        rest = strategy(client(server), json.loads(json.dumps(pages[-1].resume)))
        assert ids(iter(pages)) + ids(rest) == SEEN


def test_ids_are_walked_over_pages_that_are_hidden_whole() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        after, page = (int(request.url.params[name]) for name in ("after", "page"))
        rows = [row for row in RECORDS if row["id"] > after][(page - 1) * 30 : page * 30]
        return httpx.Response(200, json={"items": hidden(rows)})

    def pages(start: Any) -> Iterator[Page]:
        return by_id(
            client(handle), lambda after, page: ("t", {"after": after, "page": page}), "items", last=249, start=start
        )

    whole = list(pages(None))
    assert ids(iter(whole)) == SEEN[1:]
    assert [page.resume for page in whole[3:8]] == [[99, 1], [99, 2], [99, 3], [99, 4], [219, 1]]
    assert ids(iter(whole[:5])) + ids(pages(whole[4].resume)) == SEEN[1:]


def test_paging_by_the_last_value_misses_nothing_that_moves() -> None:
    rows = [dict(row) for row in RECORDS]
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        # While we page, a record that we have seen and one that we have not move to the end.
        for row in (rows[asked], rows[-asked]) if asked < 60 else ():
            row["at"] = 100 + asked
        low, page = int(request.url.params["from"]), int(request.url.params["page"])
        found = sorted((row for row in rows if row["at"] >= low), key=lambda row: (row["at"], row["id"]))
        return httpx.Response(200, json={"items": found[page * 5 : page * 5 + 5]})

    pages = by_key(
        client(handle),
        lambda value, page: ("t", {"from": value or 0, "page": page}),
        "items",
        lambda row: row["at"],
        identity=lambda row: row["id"],
    )
    found = [(page, record) for page, _ in zip(pages, range(400), strict=False) for record in page.records]
    assert {record["id"] for _, record in found} == set(range(250))


def test_a_window_that_holds_too_much_is_halved() -> None:
    stamps = [datetime(2026, 1, 1) + timedelta(minutes=number) for number in range(200)]

    def pages(since: datetime, until: datetime) -> Iterator[Page]:
        inside = [{"id": number} for number, stamp in enumerate(stamps) if since <= stamp < until]
        for at in range(0, max(len(inside), 1), 10):
            if at >= 30:
                raise TooManyError
            yield Page(inside[at : at + 10], "GET", None)

    since, until = datetime(2026, 1, 1), datetime(2026, 1, 2)
    whole = list(by_window(pages, since, until))
    assert ids(iter(whole)) == list(range(200))
    for kept in range(1, len(whole)):
        rest = by_window(pages, since, until, start=whole[kept - 1].resume)
        assert set(ids(iter(whole[:kept]))) | set(ids(rest)) == set(range(200))


def test_a_window_that_is_looked_at_first_is_walked_only_if_it_ends() -> None:
    stamps = [datetime(2026, 1, 1) + timedelta(minutes=number) for number in range(200)]
    walked: list[int] = []

    def within(since: datetime, until: datetime) -> list[dict[str, Any]]:
        return [{"id": number} for number, stamp in enumerate(stamps) if since <= stamp < until]

    def pages(since: datetime, until: datetime) -> Iterator[Page]:
        walked.append(len(within(since, until)))
        yield Page(within(since, until), "GET", None)

    since, until = datetime(2026, 1, 1), datetime(2026, 1, 2)
    assert ids(by_window(pages, since, until, holds_too_much=lambda a, b: len(within(a, b)) > 30)) == list(range(200))
    assert max(walked) <= 30
    assert sum(walked) == 200


def test_things_are_asked_for_one_by_one_and_missing_ones_are_told() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        number = int(request.url.path.rpartition("/")[2])
        return httpx.Response(404) if number == 3 else httpx.Response(200, json={"id": number})

    pages = by_one(
        client(handle),
        range(10),
        lambda number: (f"t/{number}", {}),
        lambda number, answer: [answer.document or {"id": number, "is_gone": True}],
        at_once=3,
        start=2,
    )
    assert [page.records[0] for page in pages][:3] == [{"id": 2}, {"id": 3, "is_gone": True}, {"id": 4}]


def pulled(folder: Path, state: dict[str, Any] | None = None) -> Pull:
    return Pull(
        "desk",
        access(),
        Options("desk"),
        folder,
        state or {},
        patience=IMPATIENT,
        transport=httpx.MockTransport(server),
    )


def fetch(pull: Pull, stop_after: int = 100) -> None:
    asked = pull.client(Token())

    def until(pages: Iterator[Page]) -> Iterator[Page]:
        for count, page in enumerate(pages):
            if count == stop_after:
                raise KeyboardInterrupt
            yield page

    pull.keep("users", lambda start: by_page(asked, "tickets", {}, "items", pages=lambda _: 1, start=start))
    pull.keep("tickets", lambda start: until(by_token(asked, "tickets", {}, "items", start=start)))
    pull.carry(cursor=7)
    pull.finish()


@pytest.mark.parametrize("torn", [0, 1, 40], ids=["whole", "a byte", "a page"])
def test_a_broken_pull_goes_on_where_its_log_ends(tmp_path: Path, torn: int) -> None:
    broken = begin(tmp_path, pulled, {"url": URL})
    with pytest.raises(KeyboardInterrupt):
        fetch(broken, stop_after=3)
    if torn:
        # A kill in the middle of writing: half a page that no line of the log names, and half a line.
        with (broken.folder / "tickets.jsonl.gz").open("ab") as file:
            file.write(gzip.compress(b'{"id": 999}\n')[:torn])
        with (broken.folder / "pull.jsonl").open("ab") as file:
            file.write(b'{"stream": "tick')
    again = begin(tmp_path, pulled, {"url": URL})
    assert again.folder == broken.folder
    assert again.is_continued
    fetch(again)
    assert [record["id"] for record in again.kept("tickets")] == SEEN
    assert again.records == {"users": 50, "tickets": 150}
    assert again.as_of == broken.as_of


def test_a_broken_pull_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    broken = begin(tmp_path, pulled, {"url": URL})
    with pytest.raises(KeyboardInterrupt):
        fetch(broken, stop_after=2)
    other = begin(tmp_path, pulled, {"url": "https://other.example.com"})
    assert other.folder != broken.folder
    assert not broken.folder.exists()


def test_a_pull_is_read_like_an_export(tmp_path: Path) -> None:
    whole = begin(tmp_path, pulled, {"url": URL})
    fetch(whole)
    (export,) = open_streams(whole.folder, ("users",))
    assert (export.stream, export.columns, len(export.beside["users"])) == ("tickets", ["id", "at"], 50)
    (chunk,) = export.chunks()
    assert chunk.head(2).rows() == [("0", "0", 1), ("1", "0", 2)]
    lines = [json.loads(line) for line in (whole.folder / "pull.jsonl").read_text().splitlines()]
    assert [line.get("count") for line in lines[1:]] == [50, None, 50, 50, 0, 0, 50, None]
    assert "s3cret" not in (whole.folder / "pull.jsonl").read_text()


def test_records_are_kept_as_they_came(tmp_path: Path) -> None:
    records = [
        {
            "id": number,
            "text": "line\n\u2028end\r" * (number % 7),
            "odd": "\ud800",
            "far": 10**30,
            "deep": [{"share": 0.1}],
        }
        for number in range(2_000)
    ]
    whole = begin(tmp_path, pulled, {"url": URL})
    whole.keep("rows", lambda _: [Page(records[:3], "GET", 1), Page([], "GET", 2), Page(records[3:], "GET", 3)])
    assert list(whole.kept("rows")) == records


def test_a_full_disk_is_told_with_its_remedy(tmp_path: Path) -> None:
    whole = begin(tmp_path, pulled, {"url": URL})
    (whole.folder / "tickets.jsonl.gz").symlink_to("/dev/full")
    with pytest.raises(PullError, match=r"desk: the archive .* cannot be written: No space left on device; make room"):
        fetch(whole)
