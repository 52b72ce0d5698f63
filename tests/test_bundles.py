"""Webhook messages of a file each: read together, they are told, archived and rebuilt as if each had come alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import duckdb
import exports
import pytest

from etl import archive, bundles, config, refresh, sources
from etl.config import Config
from etl.refresh import Outcome

KINDS = tuple(kind for kind in sources.kinds() if hasattr(sources.source(kind), "WEBHOOK"))
TOML = '[sources.hooks]\nkind = "{kind}"\nfiles = ["inbox/*.json"]\n'


def messages(kind: str) -> dict[str, bytes]:
    """The webhooks among a source's examples."""
    module = sources.source(kind)
    return {name: content for name, content in module.EXAMPLE.items() if bundles.is_message(module, content)}


def pages(count: int, **data: Any) -> dict[str, bytes]:
    """PagerDuty's webhook several times, of three incidents."""
    message = json.loads(messages("pagerduty")["webhook.json"])
    made = {}
    for number in range(count):
        one = copy.deepcopy(message)
        one["event"] |= {"id": f"e{number}", "occurred_at": f"2025-03-03T07:{number:02d}:00Z"}
        one["event"]["data"] |= {"id": f"Q{number % 3}", **data}
        made[f"{number}.json"] = json.dumps(one, indent=1).encode()
    return made


def configured(folder: Path, files: dict[str, bytes], kind: str = "pagerduty") -> Config:
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "inbox" / name).write_bytes(content)
    (folder / "meantime.toml").write_text(TOML.format(kind=kind), encoding="utf-8")
    return config.read(folder / "meantime.toml")


def beside_a_good_one(folder: Path, files: dict[str, bytes]) -> Config:
    """Where all sources fail, nothing is published: here another does not."""
    configured(folder, files)
    exports.write(folder / "desk.csv", [exports.line(1, 0, "New", 5)])
    desk = '[sources.desk]\nkind = "servicenow"\nfiles = ["desk.csv"]\n'
    (folder / "meantime.toml").write_text(TOML.format(kind="pagerduty") + desk)
    return config.read(folder / "meantime.toml")


def content(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("incidents", "incident_events", "incident_segments", "data_issues", "rejected_rows", "sources")
    unlike = {"data_issues": "exclude (input_id)", "rejected_rows": "exclude (input_id, rejected_at)"}
    with duckdb.connect((folder / "data/incidents.duckdb").resolve(), read_only=True) as con:
        return {
            table: con.execute(f"select * {unlike.get(table, '')} from {table} order by all").fetchall()
            for table in tables
        }


def inputs(folder: Path) -> list[int]:
    """How many files each archived input has."""
    return [max(len(entry.members), 1) for entry in archive.entries(folder / "data/raw")]


def taken(folder: Path, settings: Config) -> Outcome:
    return refresh.refresh(folder / "data", settings)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_read_together_say_what_they_say_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = messages(kind)
    files = {f"{number}-{name}": content for name, content in found.items() for number in range(2)}
    if kind == "pagerduty":
        files |= {**pages(5), **{f"odd-{name}": content for name, content in pages(1, status="snoozed").items()}}
    together = configured(tmp_path / "together", files, kind)
    alone = configured(tmp_path / "alone", files, kind)
    one = taken(tmp_path / "together", together)
    monkeypatch.setattr(bundles, "LARGEST_BYTES", -1)
    assert [report.rows_in for report in taken(tmp_path / "alone", alone).reports] == [one.reports[0].rows_in]
    assert (inputs(tmp_path / "together"), inputs(tmp_path / "alone")) == ([len(files)], [1] * len(files))
    assert content(tmp_path / "together") == content(tmp_path / "alone")
    if kind == "pagerduty":
        assert [row[1:3] for row in content(tmp_path / "together")["rejected_rows"]] == [("odd-0.json", 1)]


def test_only_what_is_new_is_taken_and_each_message_stays_as_it_came(tmp_path: Path) -> None:
    files = pages(4)
    taken(tmp_path, configured(tmp_path, files))
    assert taken(tmp_path, configured(tmp_path, files)).reports[0].outcome == "unchanged"
    more = pages(7)
    outcome = taken(tmp_path, configured(tmp_path, more))
    assert (outcome.reports[0].outcome, outcome.reports[0].rows_in) == ("loaded", 3)
    assert inputs(tmp_path) == [4, 3]
    kept = [dict(bundles.read(entry.file)) for entry in archive.entries(tmp_path / "data/raw")]
    assert kept[0] | kept[1] == more
    before = content(tmp_path)
    refresh.rebuild(tmp_path / "data")
    assert content(tmp_path) == before


def test_a_file_that_cannot_be_read_keeps_no_message_out(tmp_path: Path) -> None:
    outcome = taken(tmp_path, beside_a_good_one(tmp_path, {**pages(3), "x.json": b'{"event": '}))
    assert (inputs(tmp_path), outcome.reports[0].outcome, outcome.reports[0].rows_good) == ([3, 1], "failed", 3)
    assert "x.json" in outcome.reports[0].messages[0]


def test_a_message_that_a_source_cannot_understand_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sources.source("pagerduty")
    understand = module.normalise

    def strict(chunk: Any, plan: Any) -> Any:
        if "Q2" in chunk["event.data.id"]:
            raise sources.SourceError(f"{plan.file}: this is too much")
        return understand(chunk, plan)

    monkeypatch.setattr(module, "normalise", strict)
    outcome = taken(tmp_path, beside_a_good_one(tmp_path, pages(4)))
    assert (inputs(tmp_path), outcome.reports[0].rows_good) == ([1, 1, 1], 2)
    assert outcome.reports[0].messages == ["2.json: this is too much"]


def test_a_content_has_the_id_of_its_file(tmp_path: Path) -> None:
    for content_ in (b"", b"x", bytes(archive.PIECE_BYTES + 1)):
        (tmp_path / "a.json").write_bytes(content_)
        assert archive.identify_content("a.json", content_) == archive.identify(tmp_path / "a.json")
