"""Paging strategies: plain generators that yield pages until the tool has no more.

Each takes `start`, the `resume` of the last page that was kept (None at the beginning), and goes on after that page.
A short page is never taken for the end: tools cut a page before they hide what the reader may not see. The end is what
the tool says (a total, `more`, no next link), or an empty page where it says nothing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple, overload

from etl.pull.access import PullError
from etl.pull.client import Answer, Client

Record = Mapping[str, Any]
Rows = str | Callable[[Any], Sequence[Record]]
"""The key of a document under which its records are, or a function that gives them; "" for a document that is a list."""


_encode = json.JSONEncoder(ensure_ascii=False).encode


class Lines(Sequence[Record]):
    """Records as the archive keeps them, a line of JSON each: one text, where as objects they would be thousands."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.text = "".join([f"{_encode(record)}\n" for record in records]).encode("utf-8", "surrogatepass")
        self._count = len(records)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Record]:
        return map(json.loads, self.text.splitlines())

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        return list(self)[place]


class Page(NamedTuple):
    """What one answer brought."""

    records: Sequence[Record]
    request: str
    resume: Any
    """Where to go on after this page, as JSON."""
    total: int | None = None
    """How many records the whole stream has, if the tool says so."""


class TooManyError(Exception):
    """A window holds more records than the tool gives out."""


def _records(client: Client, answer: Answer, rows: Rows) -> Sequence[Record]:
    found: Any
    if callable(rows):
        found = rows(answer.document)
    elif rows == "":
        found = answer.document
    else:
        found = answer.document.get(rows) if isinstance(answer.document, Mapping) else None
    if not isinstance(found, list):
        what = f"no list under '{rows}'" if isinstance(rows, str) and rows else "no list of records"
        raise client.error(f"{answer.request} gave {what}; is `url` the tool's interface, and the version a known one?")
    return found


def by_offset(
    client: Client,
    path: str,
    params: Mapping[str, Any],
    rows: Rows,
    *,
    start: Any = None,
    size: int = 100,
    names: tuple[str, str] = ("offset", "limit"),
    total: Callable[[Answer], int | None] = lambda _: None,
    more: Callable[[Answer], bool | None] = lambda _: None,
    cap: int | None = None,
) -> Iterator[Page]:
    """Page by the number of records to skip.

    Rows that come or go meanwhile shift what follows: use it for what does not move, or inside a window of time.

    Args:
        client: asks.
        path: of the list.
        params: of every request.
        rows: where the records are.
        start: the last kept page's `resume`.
        size: of a page; a tool that caps it silently is followed by what it says or gives.
        names: of the parameters for the offset and the size.
        total: how many records there are; where it says so, an empty page is not the end either.
        more: whether there is another page.
        cap: offset plus size may not pass it.

    Raises:
        TooManyError: the cap is reached and there is more.
    """
    offset = int(start or 0)
    while True:
        if cap is not None and offset + size > cap:
            raise TooManyError
        answer = client.get(path, {**params, names[0]: offset, names[1]: size})
        records = _records(client, answer, rows)
        known, goes_on = total(answer), more(answer)
        # With a total or `more`, a page may be short because rows are hidden: the tool counts them, so we do.
        offset += size if known is not None or goes_on is not None else len(records)
        yield Page(records, answer.request, offset, known)
        if goes_on is False or (known is not None and offset >= known):
            return
        if known is None and goes_on is None and not records:
            return


def by_page(
    client: Client,
    path: str,
    params: Mapping[str, Any],
    rows: Rows,
    *,
    start: Any = None,
    first: int = 1,
    names: tuple[str, str | None] = ("page", "per_page"),
    size: int = 100,
    pages: Callable[[Answer], int | None] = lambda _: None,
    total: Callable[[Answer], int | None] = lambda _: None,
    last: int | None = None,
) -> Iterator[Page]:
    """Page by number; `pages` gives the number of the last page where the tool knows it, `last` the tool's cap.

    Raises:
        TooManyError: the cap is reached and there is more.
    """
    number = int(first if start is None else start)
    while True:
        if last is not None and number > last:
            raise TooManyError
        sized = {names[1]: size} if names[1] else {}
        answer = client.get(path, {**params, names[0]: number, **sized})
        records = _records(client, answer, rows)
        number += 1
        known = pages(answer)
        yield Page(records, answer.request, number, total(answer))
        if (known is not None and number - first >= known - first + 1) or (known is None and not records):
            return


def by_link(
    client: Client,
    path: str,
    params: Mapping[str, Any],
    rows: Rows,
    *,
    start: Any = None,
    link: Callable[[Answer], str | None] | None = None,
    total: Callable[[Answer], int | None] = lambda _: None,
) -> Iterator[Page]:
    """Follow the links that the tool gives: by default the `Link` header's rel="next"."""
    following = link or linked
    address, given = (path, params) if start is None else (str(start), None)
    while address:
        answer = client.get(address, given)
        records = _records(client, answer, rows)
        given = None
        after = following(answer)
        if after == address:
            raise client.error(f"{answer.request} names itself as the next page")
        yield Page(records, answer.request, after or "", total(answer))
        address = after or ""


def linked(answer: Answer) -> str | None:
    """Give the address in the `Link` header (RFC 8288) whose rel is next."""
    for part in answer.headers.get("Link", "").split(","):
        address, _, said = part.partition(";")
        if 'rel="next"' in said.replace(" ", "") or "rel=next" in said.replace(" ", ""):
            return address.strip().strip("<>")
    return None


def by_token(
    client: Client,
    path: str,
    params: Mapping[str, Any],
    rows: Rows,
    *,
    start: Any = None,
    name: str = "cursor",
    token: Callable[[Answer], str | None] = lambda answer: answer.document.get("next"),
    end: Callable[[Answer], bool] = lambda _: False,
    post: bool = False,
) -> Iterator[Page]:
    """Page by a token that each answer gives for the next one.

    Args:
        client: asks.
        path: of the list.
        params: of every request; with `post` they are the document that is sent.
        rows: where the records are.
        start: the last kept page's `resume`.
        name: of the parameter that holds the token.
        token: finds the next one; None or empty means that nothing follows.
        end: says that nothing follows although there is a token (Zendesk's `end_of_stream`).
        post: send a document instead of a query.
    """
    at = start
    while True:
        asked = {**params, **({name: at} if at else {})}
        answer = client.post(path, asked) if post else client.get(path, asked)
        records = _records(client, answer, rows)
        after = token(answer)
        if after and after == at:
            raise client.error(f"{answer.request} gave the token that was sent: it would never end")
        yield Page(records, answer.request, after or at)
        if not after or end(answer):
            return
        at = after


def by_key(
    client: Client,
    ask: Callable[[Any, int], tuple[str, Mapping[str, Any]]],
    rows: Rows,
    key: Callable[[Record], Any],
    *,
    identity: Callable[[Record], Any],
    start: Any = None,
) -> Iterator[Page]:
    """Page by the last value seen: rows that change meanwhile move to the end, and none is missed.

    Args:
        client: asks.
        ask: gives path and query for "from this value on (included), ordered by it" and the number of the page, from 0:
            a page of rows that all share one value is followed by the next page of the same value.
        rows: where the records are.
        key: the value of a record, as JSON.
        identity: what tells records of one value apart; a record of the border is kept once.
        start: the last kept page's `resume`.
    """
    value, number, known, walk, before = start or [None, 0, [], [], None]
    seen = set(known)
    while True:
        path, params = ask(value, number)
        answer = client.get(path, params)
        records = _records(client, answer, rows)
        marks = [_mark(key(record), identity(record)) for record in records]
        fresh = [record for record, mark in zip(records, marks, strict=True) if mark not in seen]
        seen |= set(marks)
        walk = [*walk, *marks]
        latest = key(records[-1]) if records else value
        is_end = False
        if records and latest == value:
            number += 1
        elif number > 0 and walk != before:
            # While one value was walked page by page, a row may have left it and let another slip to the page before.
            # Two walks alike prove that none did.
            number, walk, before = 0, [], walk
        else:
            is_end = not records
            seen = {mark for record, mark in zip(records, marks, strict=True) if key(record) == latest} or seen
            value, number, walk, before = latest, 0, [], None
        yield Page(fresh, answer.request, [value, number, sorted(seen), walk, before])
        if is_end:
            return


def _mark(value: Any, identity: Any) -> str:
    return f"{value}\n{identity}"


def by_id(
    client: Client,
    ask: Callable[[int, int], tuple[str, Mapping[str, Any]]],
    rows: Rows,
    *,
    last: int,
    after: int = 0,
    start: Any = None,
) -> Iterator[Page]:
    """Page by ids that only grow, where the tool hides rows after it has cut the page and gives no total.

    An empty page means that all of it is hidden: the next page of the same request is asked for, up to the last id.

    Args:
        client: asks.
        ask: gives path and query for "ids above this one, in their order" and the number of the page, from 1.
        rows: where the records are; each has `id`.
        last: the greatest id that the reader may see.
        after: ids above this one are wanted.
        start: the last kept page's `resume`.
    """
    after, number = start or [after, 1]
    while after < last:
        path, params = ask(after, number)
        answer = client.get(path, params)
        records = _records(client, answer, rows)
        after, number = (int(records[-1]["id"]), 1) if records else (after, number + 1)
        yield Page(records, answer.request, [after, number])


def by_window(
    pages: Callable[[datetime, datetime], Iterable[Page]],
    since: datetime,
    until: datetime,
    *,
    widest: timedelta | None = None,
    holds_too_much: Callable[[datetime, datetime], bool] = lambda _, __: False,
    start: Any = None,
) -> Iterator[Page]:
    """Walk a span of time in windows; one that holds too much is halved, after a small one the next is wider.

    A window is held until it is complete, so that nothing is kept twice; a tool's cap bounds it. It is held as text:
    as objects its records would cost memory, and time whenever Python looks for those that nobody needs.

    Args:
        pages: gives the pages from one UTC instant to another, the second excluded; raises `TooManyError`.
        since: where the span begins.
        until: where it ends.
        widest: the longest window that the tool allows.
        holds_too_much: tells of a window by one request what `pages` would find out by many.
        start: the last kept page's `resume`.

    Raises:
        PullError: a single second holds too much.
    """
    at = since if start is None else datetime.fromisoformat(start)
    width = min(until - at, widest) if widest else until - at
    most, was_cut = 0, False
    while at < until:
        end = min(at + width, until)
        try:
            if holds_too_much(at, end):
                raise TooManyError
            held = [page._replace(records=Lines(page.records)) for page in pages(at, end)]
        except TooManyError as error:
            if width <= timedelta(seconds=1):
                raise PullError(f"the second {at.isoformat()} holds more records than the tool gives out") from error
            width = timedelta(seconds=max(int((end - at).total_seconds() // 2), 1))
            was_cut = True
            continue
        # The window counts as done with its last page only: a pull that is killed before asks for it anew.
        for page in held[:-1]:
            yield page._replace(resume=at.isoformat())
        if held:
            yield held[-1]._replace(resume=end.isoformat())
        at = end
        count = sum(len(page.records) for page in held)
        most = max(most, count)
        # A window that held half as much as any before, or more, would be too wide twice as wide: what a cap cuts off
        # is asked for again.
        if not was_cut or count * 2 < most:
            width = min(width * 2, widest) if widest else width * 2


def by_one(
    client: Client,
    keys: Iterable[Any],
    ask: Callable[[Any], tuple[str, Mapping[str, Any]]],
    record: Callable[[Any, Answer], Sequence[Record]],
    *,
    start: Any = None,
    at_once: int = 1,
    forbidden: bool = False,
) -> Iterator[Page]:
    """Ask for things one by one, in the order of their keys; what is not there (404) is an answer, too.

    Args:
        client: asks.
        keys: what to ask for, in the same order each time.
        ask: gives path and query of a key.
        record: gives the records of an answer, whose document is None where the tool has no such thing.
        start: the last kept page's `resume`.
        at_once: how many requests may be under way.
        forbidden: what we may not read (403) is an answer, too, like one that is not there.
    """
    done = int(start or 0)
    rest = itertools.islice(keys, done, None)

    def get(key: Any) -> tuple[Any, Answer]:
        path, params = ask(key)
        return key, client.get(path, params, missing=True, forbidden=forbidden)

    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="asking") as askers:
        while batch := list(itertools.islice(rest, at_once * 8)):
            for key, answer in askers.map(get, batch):
                done += 1
                yield Page(record(key, answer), answer.request, done)
