"""Known changes: what the configuration may say of them, and that they are published and stay."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from configured import DESK, configured, is_followed_and_outlives_a_rebuild, refused
from conftest import ROOT

from dashboard import filters
from etl import annotation, refresh, store
from etl.annotation import Annotation
from etl.cli import cli

HEADER = "Number,State,Priority,Opened,Resolved"
EXPORT = f"{HEADER}\nINC1,Resolved,3 - Moderate,2026-01-05 08:00:00,2026-01-05 09:00:00\n"
TWO = """
[[annotations]]
date = 2026-03-01
text = "New  tool"
split = true

[[annotations]]
date = "2026-01-15"
text = "Reorganisation"
assignment_group = "Network"
priority = [1, 2]
"""
PARSED = (
    Annotation(date(2026, 1, 15), "Reorganisation", False, (), (1, 2), ("Network",)),
    Annotation(date(2026, 3, 1), "New tool", True),
)
PUBLISHED = [
    (date(2026, 1, 15), "Reorganisation", False, None, ["1", "2"], ["Network"], None, None, None),
    (date(2026, 3, 1), "New tool", True, None, None, None, None, None, None),
]


def test_a_change_has_a_day_a_text_and_perhaps_a_part_that_it_concerns() -> None:
    assert annotation.parse(tomllib.loads(TWO)["annotations"]) == PARSED
    assert annotation.parse([]) == ()


def test_a_change_may_concern_whatever_a_reader_can_choose() -> None:
    assert tuple(filters.COLUMNS) == annotation.SLICE
    assert tuple(field.name for field in store.ANNOTATIONS) == Annotation._fields
    assert Annotation._fields[3:] == annotation.SLICE


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("annotations = 'new tool'", "annotations must be tables, each under [[annotations]]"),
        ("annotations = [3]", "annotations must be tables, each under [[annotations]]"),
        ("[[annotations]]\ntext = 'x'", "[[annotations]] 1: date is None; write the day like 2026-03-01"),
        ("[[annotations]]\ntext = 'x'\ndate = 'March'", "[[annotations]] 1: date is 'March'; write the day like"),
        ("[[annotations]]\ntext = 'x'\ndate = 2026-03-01T10:00:00Z", "date is datetime.datetime(2026, 3, 1, 10, 0"),
        ("[[annotations]]\ndate = 2026-03-01", "[[annotations]] 1: text is None; say what changed, in at most 120"),
        ("[[annotations]]\ndate = 2026-03-01\ntext = ' '", "[[annotations]] 1: text is ' '; say what changed"),
        ("[[annotations]]\ndate = 2026-03-01\ntext = 'x'\nsplit = 1", "1: split is 1; it must be true or false"),
        (
            "[[annotations]]\ndate = 2026-03-01\ntext = 'x'\nassignment_grup = 'Network'",
            "[[annotations]] 1: key 'assignment_grup' is not one of date, text, split, source, priority, "
            "assignment_group, service, category, channel; did you mean 'assignment_group'?",
        ),
        (
            "[[annotations]]\ndate = 2026-03-01\ntext = 'x'\npriority = 'P1'",
            "[[annotations]] 1: priority is 'P1'; give one or a list of 1, 2, 3, 4, 5",
        ),
        (
            "[[annotations]]\ndate = 2026-03-01\ntext = 'x'\nservice = [3]",
            "[[annotations]] 1: service is [3]; give one or a list names",
        ),
    ],
)
def test_a_mistake_is_named_with_what_it_may_be(tmp_path: Path, said: str, message: str) -> None:
    assert message in refused(tmp_path, said)


def test_changes_are_published_follow_the_configuration_and_outlive_a_rebuild(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(EXPORT, encoding="utf-8")
    is_followed_and_outlives_a_rebuild(tmp_path, TWO, "select * from annotations order by annotated_on", PUBLISHED)


def test_check_names_a_part_that_no_incident_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        EXPORT.replace("State,", "State,Assignment group,").replace("Resolved,3", "Resolved,Network,3")
    )
    refresh.refresh(tmp_path / "data", configured(tmp_path, DESK + TWO.replace("Network", "Netwrok")))
    told = CliRunner().invoke(
        cli, ["--data", str(tmp_path / "data"), "--config", str(tmp_path / "meantime.toml"), "check"]
    )
    said = "[[annotations]] of 2026-01-15 'Reorganisation': no incident has assignment_group 'Netwrok'; did you mean 'Network'?"
    assert said in told.stderr
    assert told.exit_code == 0


def test_the_readme_shows_annotations_that_are_understood() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```toml\n")[1:] if "[[annotations]]" in block).split("```")[0]
    assert [one.text for one in annotation.parse(tomllib.loads(example)["annotations"])] == [
        "Reorganisation of Network",
        "New ticket tool",
    ]
