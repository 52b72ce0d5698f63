"""A run as a whole: what it takes in, what it leaves alone, what it repeats, and what it finishes for a killed one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import exports
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import view
from etl import archive, config, publish, refresh, store
from etl.config import Config, ConfigError, Source
from etl.publish import PublishError
from etl.refresh import RefreshError, Report
from etl.sources import Options


def desk(name: str = "desk", **options: Any) -> Source:
    return Source(name, "servicenow", Options(name, **options))


def outcomes(reports: list[Report]) -> list[tuple[str, str, int, int, int]]:
    return [(r.source, r.outcome, r.rows_in, r.rows_good, r.rows_rejected) for r in reports]


def configured(tmp_path: Path, text: str = "") -> Config:
    file = tmp_path / "meantime.toml"
    file.write_text(f'[sources.desk]\nkind = "servicenow"\nfiles = ["exports/*.csv"]\n{text}', encoding="utf-8")
    (tmp_path / "exports").mkdir(exist_ok=True)
    return config.read(file)


def one(data: Path, query: str) -> list[tuple[Any, ...]]:
    con = duckdb.connect((data / "incidents.duckdb").resolve(), read_only=True)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def test_a_refresh_takes_in_only_what_is_new(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    data = tmp_path / "data"
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=3)
    first = refresh.refresh(data, settings)
    exports.generation(tmp_path / "exports" / "1.csv", 1, incidents=3, more=1)
    second = refresh.refresh(data, settings)
    third = refresh.refresh(data, settings)
    assert [outcomes(outcome.reports) for outcome in (first, second, third)] == [
        [("desk", "loaded", 3, 3, 0)],
        [("desk", "loaded", 4, 4, 0)],
        [("desk", "unchanged", 0, 0, 0)],
    ]
    assert [outcome.version for outcome in (first, second, third)] == [1, 2, 3]
    assert exports.titles(data / "incidents.duckdb") == [("generation 1", 4)]
    assert one(data, "select run_id, outcome, rows_in from refresh_runs order by run_id") == [
        (1, "loaded", 3),
        (2, "loaded", 4),
        (3, "unchanged", 0),
    ]


def test_only_a_run_that_tells_more_is_news(tmp_path: Path) -> None:
    data = tmp_path / "data"
    plain, changed = "", '[[annotations]]\ndate = 2025-02-01\ntext = "New tool"\n'
    news = []
    for run, text in enumerate((plain, plain, changed, changed, changed, changed)):
        settings = configured(tmp_path, text)
        if run in (0, 4):
            exports.generation(tmp_path / "exports" / f"{run}.csv", run, incidents=3)
        refresh.refresh(data, settings)
        news += one(data, "select value from store.settings where name = 'news'")
    assert news == [("1",), ("1",), ("3",), ("3",), ("5",), ("5",)]


def test_an_empty_export_does_not_say_up_to_when_its_source_is_known(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "first.csv"
    file.write_text(exports.HEADER + "\n", encoding="utf-8")
    as_of = []
    for name in ("first", "second", "first"):
        source = desk(name)
        refresh.load(data, source, [file])
        as_of.append(one(data, "select source, as_of from sources order by source"))
        exports.generation(file, 0, incidents=3)
    assert as_of[0] == [("first", None)]
    known = one(data, "select max(greatest(opened_at, updated_at)) from incidents")[0][0]
    assert as_of[1] == [("first", None), ("second", known)]
    assert as_of[2] == [("first", known), ("second", known)]
    assert one(data, "select max(day) <= max(as_of) from incident_days cross join sources") == [(True,)]


def test_an_open_page_is_told_of_news_and_not_of_a_run_that_found_none(tmp_path: Path) -> None:
    def page(data: str, shown: str, told: str) -> None:
        from pathlib import Path

        from dashboard import shell

        shell._offer_news(Path(data), shown, told)

    def offered() -> list[str]:
        return [button.label for button in AppTest.from_function(page, args=(str(data), *shown)).run().button]

    data = tmp_path / "data"
    refresh.load(data, desk(), [exports.generation(tmp_path / "0.csv", 0, incidents=3)])
    shown = str(publish.file(data)), view.news(str(publish.file(data)))
    assert offered() == []
    refresh.load(data, desk(), [tmp_path / "0.csv"])
    assert offered() == []
    refresh.load(data, desk(), [exports.generation(tmp_path / "1.csv", 1, incidents=3)])
    assert offered() == ["New data: show it"]


def test_loading_the_same_twice_changes_nothing_but_the_record_of_runs(tmp_path: Path) -> None:
    file = exports.generation(tmp_path / "0.csv", 0, incidents=3)
    data = tmp_path / "data"
    refresh.load(data, desk(), [file])
    before = exports.content(data / "incidents.duckdb")
    assert outcomes(refresh.load(data, desk(), [file]).reports) == [("desk", "unchanged", 0, 0, 0)]
    assert exports.content(data / "incidents.duckdb") == before


def test_loading_the_same_with_other_options_replaces_what_was_read(tmp_path: Path) -> None:
    file = exports.write(tmp_path / "0.csv", [exports.line(1, 0, "New", 5), exports.line(2, 0, "Resolved", 5)])
    data = tmp_path / "data"
    refresh.load(data, desk(timezone="Europe/Berlin"), [file])
    outcome = refresh.load(data, desk(timezone="America/New_York"), [file])
    refresh.load(tmp_path / "other", desk(timezone="America/New_York"), [file], config=Config("Europe/Berlin"))
    assert outcomes(outcome.reports) == [("desk", "loaded", 2, 2, 0)]
    tables = ["incidents", "incident_events", "incident_segments", "data_issues", "sources"]
    assert exports.content(data / "incidents.duckdb", tables) == exports.content(
        tmp_path / "other" / "incidents.duckdb", tables
    )


def test_a_changed_configuration_reads_the_archive_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    file = configured(tmp_path) and exports.write(
        tmp_path / "exports" / "0.csv", [exports.line(1, 0, "New", 5), exports.line(2, 0, "Awaiting Parts", 5)]
    )
    first = refresh.refresh(data, configured(tmp_path))
    assert outcomes(first.reports) == [("desk", "loaded", 2, 1, 1)]
    assert first.exit_code == 3
    file.unlink()
    exports.write(tmp_path / "exports" / "1.csv", [exports.line(3, 0, "New", 5)])
    second = refresh.refresh(data, configured(tmp_path, '[sources.desk.status]\n"Awaiting Parts" = "on_hold"'))
    assert second.exit_code == 0
    assert one(data, "select incident_id, state from incidents order by all") == [
        ("INC0000001", "new"),
        ("INC0000002", "on_hold"),
        ("INC0000003", "new"),
    ]
    assert one(data, "select count(*) from rejected_rows") == [(0,)]


def test_what_was_loaded_by_hand_is_read_as_a_configuration_says_that_names_its_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = configured(tmp_path, '[sources.desk.status]\n"Awaiting Parts" = "on_hold"')
    named = exports.write(tmp_path / "exports" / "0.csv", [exports.line(1, 0, "Awaiting Parts", 5)])
    other = exports.write(tmp_path / "1.csv", [exports.line(2, 0, "Awaiting Parts", 5)])
    assert [one.rows_rejected for one in refresh.load(data, desk(), [named, other]).reports] == [2]
    refresh.refresh(data, settings)
    assert one(data, "select incident_id, state from incidents") == [("INC0000001", "on_hold")]
    assert one(data, "select file from rejected_rows") == [("1.csv",)]
    assert outcomes(refresh.refresh(data, settings).reports) == [("desk", "unchanged", 0, 0, 0)]
    assert {entry.file.name: entry.reading.is_configured for entry in archive.entries(data / "raw")} == {
        "0.csv": True,
        "1.csv": False,
    }


def test_a_configuration_that_the_archive_cannot_be_read_with_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = configured(tmp_path)
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=3)
    refresh.refresh(data, settings)
    with pytest.raises(RefreshError, match="takes priority from 'Urgency Level', which the file does not have"):
        refresh.refresh(data, configured(tmp_path, '[sources.desk.fields]\npriority = "Urgency Level"'))
    assert publish.published(data) == 1
    assert outcomes(refresh.refresh(data, settings).reports) == [("desk", "unchanged", 0, 0, 0)]


def test_the_reporting_zone_is_that_of_the_first_load(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refresh.load(data, desk("a", timezone="Asia/Tokyo"), [exports.generation(tmp_path / "0.csv", 0, incidents=2)])
    refresh.load(data, desk("b", timezone="UTC"), [exports.generation(tmp_path / "1.csv", 1, incidents=2)])
    assert one(data, "select value from store.settings where name = 'reporting_timezone'") == [("Asia/Tokyo",)]


def test_a_configuration_with_another_zone_rebuilds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    exports_folder = configured(tmp_path).sources["desk"].folder / "exports"
    exports.generation(exports_folder / "0.csv", 0, incidents=2)
    refresh.refresh(data, configured(tmp_path))
    before = one(data, "select distinct opened_on::varchar from incidents")
    settings = configured(tmp_path)
    refresh.refresh(data, Config("Pacific/Kiritimati", None, settings.sources))
    assert before == [("2025-03-03",)]
    assert one(data, "select distinct opened_on::varchar from incidents") == [("2025-03-03",)]
    refresh.refresh(data, Config("Pacific/Midway", None, settings.sources))
    assert one(data, "select distinct opened_on::varchar from incidents") == [("2025-03-02",)]


def test_an_as_of_is_the_greatest_stamp_of_the_file_or_as_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    file = exports.write(tmp_path / "0.csv", [exports.line(1, 0, "New", 90)])
    refresh.load(data, desk("stamped"), [file])
    refresh.load(data, Source("told", "servicenow", Options("told"), as_of=datetime(2025, 4, 1)), [file])
    assert one(data, "select source, as_of from sources order by source") == [
        ("stamped", datetime(2025, 3, 3, 9, 30)),
        ("told", datetime(2025, 4, 1)),
    ]


def test_an_opening_after_all_that_happened_to_its_incident_is_no_as_of(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "number,state,opened_at,resolved_at\n"
        "INC1,Resolved,2025-03-03 08:00:00,2025-03-03 09:00:00\n"
        "INC2,Resolved,2025-09-03 08:00:00,2025-03-02 09:00:00\n"
        "INC3,New,2025-03-03 09:30:00,\n"
    )
    refresh.load(tmp_path / "data", Source("desk", "servicenow", Options("desk")), [file])
    assert one(tmp_path / "data", "select as_of from sources") == [(datetime(2025, 3, 3, 9, 30),)]


def test_a_stamp_in_the_future_is_no_as_of(tmp_path: Path) -> None:
    data = tmp_path / "data"
    far = 60 * 24 * 365 * 200
    refresh.load(
        data,
        desk(),
        [exports.write(tmp_path / "0.csv", [exports.line(1, 0, "New", 90), exports.line(2, 0, "New", far)])],
    )
    assert one(data, "select as_of from sources") == [(datetime(2025, 3, 3, 9, 30),)]


def test_a_source_that_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "exports").mkdir()
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=2)
    file = tmp_path / "meantime.toml"
    file.write_text(
        '[sources.broken]\nkind = "servicenow"\nfiles = ["none.csv"]\n'
        '[sources.desk]\nkind = "servicenow"\nfiles = ["exports/*.csv"]\n'
    )
    outcome = refresh.refresh(data, config.read(file))
    assert outcomes(outcome.reports) == [("broken", "failed", 0, 0, 0), ("desk", "loaded", 2, 2, 0)]
    assert outcome.exit_code == 3
    assert one(data, "select outcome, message from refresh_runs where source = 'broken'") == [
        ("failed", f"[sources.broken] files: nothing matches 'none.csv' in {tmp_path}")
    ]


def test_a_run_in_which_every_source_fails_publishes_nothing(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    with pytest.raises(RefreshError, match="nothing matches 'exports/"):
        refresh.refresh(tmp_path / "data", settings)
    assert publish.published(tmp_path / "data") is None


def test_an_unknown_source_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source 'helpdesk' is not configured; there are desk"):
        refresh.refresh(tmp_path / "data", configured(tmp_path), ["helpdesk"])


def test_of_several_files_none_is_loaded_if_one_cannot_be_read(tmp_path: Path) -> None:
    good = exports.generation(tmp_path / "good.csv", 0, incidents=2)
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    with pytest.raises(RefreshError, match="no column for incident_id"):
        refresh.load(tmp_path / "data", desk(), [good, bad])
    assert list((tmp_path / "data" / "raw").glob("*/*")) == []
    assert publish.published(tmp_path / "data") is None


def test_an_archived_export_is_as_it_came_and_cannot_be_written(tmp_path: Path) -> None:
    file = exports.generation(tmp_path / "0.csv", 0, incidents=2)
    refresh.load(tmp_path / "data", desk(timezone="Europe/Berlin"), [file])
    (entry,) = archive.entries(tmp_path / "data" / "raw")
    assert entry.file.read_bytes() == file.read_bytes()
    assert entry.file.stat().st_mode & 0o222 == 0
    manifest = json.loads((entry.file.parent / "manifest.json").read_text())
    assert manifest["file"] == "0.csv"
    assert manifest["reading"]["kind"] == "servicenow"
    assert manifest["reading"]["options"]["timezone"] == "Europe/Berlin"


def several(tmp_path: Path) -> Path:
    """Make a warehouse of loads with different options, a configured source, rejected rows and odd ones."""
    data = tmp_path / "data"
    rows = [
        exports.line(1, 0, "New", 1),
        exports.line(1, 1, "Resolved", 30),
        exports.line(2, 0, "New", 2),
        exports.line(2, 1, "Zombie", 40),
        exports.line(3, 4, "Closed", 0),
    ]
    refresh.load(data, desk("a", timezone="Europe/Berlin"), [exports.write(tmp_path / "a.csv", rows)])
    refresh.load(data, desk("a"), [exports.write(tmp_path / "b.csv", [exports.line(2, 2, "Resolved", 50)])])
    settings = configured(tmp_path, "full_export = true")
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=5)
    refresh.refresh(data, settings)
    (tmp_path / "exports" / "0.csv").unlink()
    exports.generation(tmp_path / "exports" / "1.csv", 1, incidents=3, more=0)
    refresh.refresh(data, settings)
    return data


def test_a_rebuild_equals_the_store_that_it_replaces(tmp_path: Path) -> None:
    data = several(tmp_path)
    before = exports.content(data / "incidents.duckdb")
    runs = one(data, "select * from refresh_runs order by all")
    outcome = refresh.rebuild(data)
    assert exports.content(data / "incidents.duckdb") == before
    assert one(data, f"select * from refresh_runs where run_id < {outcome.version} order by all") == runs
    assert len(before["incidents"]) == 8
    assert len(before["rejected_rows"]) == 1


def test_a_store_that_is_gone_is_made_anew_with_its_history_of_runs(tmp_path: Path) -> None:
    data = several(tmp_path)
    before = exports.content(data / "incidents.duckdb")
    runs = one(data, "select * from refresh_runs order by all")
    shutil.rmtree(data / "store")
    outcome = refresh.refresh(data, configured(tmp_path, "full_export = true"))
    assert outcome.version > 4
    assert exports.content(data / "incidents.duckdb") == before
    assert one(data, "select * from refresh_runs order by all")[: len(runs)] == runs


def test_what_vanishes_from_a_full_export_is_deleted_at_its_source(tmp_path: Path) -> None:
    data = several(tmp_path)
    assert one(
        data, "select incident_id, deleted_at_source::varchar from incidents where source = 'desk' order by all"
    ) == [
        ("INC0000000", None),
        ("INC0000001", None),
        ("INC0000002", None),
        ("INC0000003", "2025-03-04 00:41:00"),
        ("INC0000004", "2025-03-04 00:41:00"),
    ]


def test_an_export_without_rows_does_not_move_its_source_s_clock(tmp_path: Path) -> None:
    data = tmp_path / "data"
    full = exports.generation(tmp_path / "0.csv", 0, incidents=2)
    refresh.load(data, desk(), [full])
    before = one(data, "select as_of from sources")
    outcome = refresh.load(data, desk(), [exports.write(tmp_path / "1.csv", [])])
    assert outcomes(outcome.reports) == [("desk", "loaded", 0, 0, 0)]
    assert list(outcome.reports[0].remarks.values()) == ["desk: 1.csv has no rows"]
    assert one(data, "select as_of from sources") == before


def test_a_full_export_without_rows_is_refused_while_there_are_incidents(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = configured(tmp_path, "full_export = true")
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=2)
    refresh.refresh(data, settings)
    (tmp_path / "exports" / "0.csv").unlink()
    exports.write(tmp_path / "exports" / "1.csv", [])
    with pytest.raises(RefreshError) as error:
        refresh.refresh(data, settings)
    assert str(error.value) == (
        "desk: 1.csv has no rows; as a full export it would say that all 2 incidents are gone. "
        "Export it anew, or take the file away"
    )
    assert one(data, "select count(*), count(deleted_at_source) from incidents") == [(2, 0)]


def test_a_damaged_store_is_replaced_by_a_rebuild(tmp_path: Path) -> None:
    data = several(tmp_path)
    before = exports.content(data / "incidents.duckdb")
    file = data / "store" / "warehouse.duckdb"
    file.write_bytes(b"rubbish" * 1000)
    refresh.rebuild(data)
    assert exports.content(data / "incidents.duckdb") == before


def test_a_rebuild_says_what_it_can_no_longer_reach(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = configured(tmp_path)
    kept = Config(None, 1, settings.sources)
    exports.write(tmp_path / "exports" / "0.csv", [exports.line(1, 0, "New", 1)])
    refresh.refresh(data, kept)
    exports.write(tmp_path / "exports" / "1.csv", [exports.line(2, 0, "New", 2)])
    refresh.refresh(data, kept)
    assert len(list(archive.entries(data / "raw"))) == 1
    assert one(data, "select count(*) from incidents") == [(2,)]
    assert outcomes(refresh.refresh(data, kept).reports) == [("desk", "unchanged", 0, 0, 0)]
    outcome = refresh.rebuild(data)
    assert [report.complaints for report in outcome.reports] == [
        ["desk: 1 inputs are no longer in the archive; what only they held is gone"]
    ]
    assert one(data, "select count(*) from incidents") == [(1,)]


def test_a_store_of_an_older_schema_is_rebuilt_by_itself(tmp_path: Path) -> None:
    data = several(tmp_path)
    before = exports.content(data / "incidents.duckdb")
    con = store.connect(data / "store" / "warehouse.duckdb")
    store.put_setting(con, "fingerprint", "of an older Meantime")
    con.execute("drop table store.snapshots")
    con.execute("alter table incidents drop column url")
    con.execute("alter table store.inputs drop column read_as")
    con.close()
    told: list[str] = []
    refresh.refresh(data, configured(tmp_path, "full_export = true"), progress=told.append)
    assert "rebuilding the store from the archive: another version of Meantime made it" in told
    assert exports.content(data / "incidents.duckdb") == before


def test_the_published_file_stays_until_a_rebuild_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = several(tmp_path)
    before = exports.content(data / "incidents.duckdb")
    published = publish.published(data)
    monkeypatch.setattr(refresh.catalog, "run_facts", lambda *_: (_ for _ in ()).throw(duckdb.IOException("no space")))
    with pytest.raises(RefreshError, match="the store could not be rebuilt: no space"):
        refresh.rebuild(data)
    monkeypatch.undo()
    assert publish.published(data) == published
    assert exports.content(data / "incidents.duckdb") == before
    assert outcomes(refresh.refresh(data, configured(tmp_path, "full_export = true")).reports) == [
        ("desk", "unchanged", 0, 0, 0)
    ]


def test_a_store_that_is_ahead_of_the_published_version_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    settings = configured(tmp_path)
    exports.generation(tmp_path / "exports" / "0.csv", 0, incidents=2)
    refresh.refresh(data, settings)
    exports.generation(tmp_path / "exports" / "1.csv", 1, incidents=2, more=0)

    def fail(*_: object) -> Path:
        raise PublishError("killed")

    monkeypatch.setattr(refresh.publish, "publish", fail)
    with pytest.raises(PublishError):
        refresh.refresh(data, settings)
    monkeypatch.undo()
    assert exports.titles(data / "incidents.duckdb") == [("generation 0", 2)]
    refresh.recover(data)
    assert publish.published(data) == 2
    assert exports.titles(data / "incidents.duckdb") == [("generation 1", 2)]


def test_what_a_killed_run_had_archived_but_not_stored_goes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refresh.load(data, desk(), [exports.generation(tmp_path / "0.csv", 0, incidents=2)])
    file = exports.generation(tmp_path / "1.csv", 1, incidents=2, more=0)
    reading = archive.Reading("servicenow", Options("desk"), None, {}, is_configured=False)
    archive.keep(archive.expected(data / "raw", file, archive.identify(file), reading), file)
    (data / "raw" / "desk" / "half").mkdir()
    (data / "raw" / "desk" / "half" / "2.csv").write_text("half")
    refresh.recover(data)
    assert [entry.file.name for entry in archive.entries(data / "raw")] == ["0.csv"]
    assert len(list((data / "raw" / "desk").iterdir())) == 1


def test_an_uncommitted_write_ahead_log_is_harmless(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refresh.load(data, desk(), [exports.generation(tmp_path / "0.csv", 0, incidents=2)])
    script = """
import sys, os, pathlib
sys.path.insert(0, sys.argv[1])
from etl import store
con = store.connect(pathlib.Path(sys.argv[2]))
con.execute("set checkpoint_threshold = '1TB'")
con.execute("insert into store.settings values ('committed', 'yes')")
con.execute("begin")
con.execute("insert into store.settings select 'lost', range::varchar from range(100000)")
os.kill(os.getpid(), 9)
"""
    file = data / "store" / "warehouse.duckdb"
    subprocess.run([sys.executable, "-c", script, str(exports.ROOT), str(file)], check=False)
    assert file.with_name("warehouse.duckdb.wal").exists()
    refresh.load(data, desk(), [exports.generation(tmp_path / "1.csv", 1, incidents=2, more=0)])
    assert not file.with_name("warehouse.duckdb.wal").exists()
    assert one(data, "select name from store.settings where name in ('committed', 'lost')") == [("committed",)]
    assert exports.titles(data / "incidents.duckdb") == [("generation 1", 2)]


def test_the_write_ahead_log_of_a_store_that_is_gone_goes_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refresh.load(data, desk(), [exports.generation(tmp_path / "0.csv", 0, incidents=2)])
    (data / "store" / "warehouse.duckdb").unlink()
    (data / "store" / "warehouse.duckdb.wal").write_bytes(b"a stranger's")
    refresh.load(data, desk(), [exports.generation(tmp_path / "1.csv", 1, incidents=2, more=0)])
    assert exports.titles(data / "incidents.duckdb") == [("generation 1", 2)]


def test_no_run_takes_a_number_that_was_published_before(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(3):
        refresh.load(data, desk(), [exports.generation(tmp_path / f"{number}.csv", number, incidents=2)])
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "raw")
    refresh.load(data, desk(), [tmp_path / "0.csv"])
    assert publish.published(data) == 4
