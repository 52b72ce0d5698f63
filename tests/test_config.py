"""The configuration: what it may say, and the errors that name key, value and choices."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from etl import config
from etl.brand import Brand
from etl.calendars import Calendars
from etl.config import Config, ConfigError, Source
from etl.links import Links
from etl.sources import Options, kinds


def parsed(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "meantime.toml"
    file.write_text(text, encoding="utf-8")
    return config.read(file)


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    assert parsed(
        tmp_path,
        """
        timezone = "Europe/Berlin"
        keep_raw = 12

        [sources.servicedesk]
        kind = "servicenow"
        files = ["exports/incident*.csv.gz"]
        timezone = "America/Sao_Paulo"
        date_format = "day_first"
        automation = ["svc-*"]
        as_of = 2025-12-31T23:00:00Z
        full_export = true
        first_contact_hours = 4
        max_rejected_share = 0.05
        max_age_hours = 26
        sample = true
        [sources.servicedesk.status]
        "Awaiting Parts" = "on_hold"
        [sources.servicedesk.fields]
        priority = "u_priority"
        """,
    ) == Config(
        timezone="Europe/Berlin",
        keep_raw=12,
        sources={
            "servicedesk": Source(
                name="servicedesk",
                kind="servicenow",
                options=Options(
                    source="servicedesk",
                    timezone="America/Sao_Paulo",
                    date_format="day_first",
                    fields={"priority": "u_priority"},
                    status={"Awaiting Parts": "on_hold"},
                    automation=("svc-*",),
                ),
                files=("exports/incident*.csv.gz",),
                folder=tmp_path,
                as_of=datetime(2025, 12, 31, 23),
                full_export=True,
                first_contact_hours=4,
                max_rejected_share=0.05,
                max_age_hours=26.0,
                is_sample=True,
            )
        },
        calendars=Calendars(),
        annotations=(),
        links=Links(),
        targets=(),
        views=(),
    )


SOURCE = '[sources.desk]\nkind = "servicenow"\nfiles = ["a.csv"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "timezone = 'Mars/Base'",
            "timezone: time zone 'Mars/Base' is unknown; use an IANA name such as Europe/Berlin",
        ),
        (
            "timezon = 'UTC'",
            "key 'timezon' is not one of timezone, locale, keep_raw, sources, calendars, calendar_rules, "
            "annotations, links, targets, views, brand; did you mean 'timezone'?",
        ),
        ("keep_raw = 0", "keep_raw is 0; it must be a whole number from 1, or be left out to keep all"),
        ("timezone = ", "is not valid TOML"),
        ("sources = 3", "sources must be tables, [sources.NAME]"),
        (
            '[sources.desk]\nkind = "servicenw"\nfiles = ["a.csv"]',
            f"[sources.desk] kind is 'servicenw'; it must be one of {', '.join(kinds())}; did you mean 'servicenow'?",
        ),
        ('[sources.desk]\nkind = "servicenow"', "[sources.desk] files must be a list of file names or patterns"),
        ('[sources.desk]\nkind = "servicenow"\nfiles = "a.csv"', "[sources.desk] files must be a list of file names"),
        ('[sources."../x"]\nkind = "servicenow"\nfiles = ["a"]', "'../x' cannot name a source"),
        (f"{SOURCE}file = 3", "[sources.desk]: key 'file' is not one of"),
        (f'{SOURCE}automation = "svc_*"', '[sources.desk] automation must be a list of user names, such as ["svc_*"]'),
        (f"{SOURCE}null_marks = 3", "[sources.desk] null_marks must be a list of texts that mean nothing"),
        (f"{SOURCE}fields = {{ priority = 3 }}", "[sources.desk] fields must be a table of our column = the name of"),
        (f"{SOURCE}max_rejected_share = 2", "[sources.desk] max_rejected_share is 2; it must lie between 0 and 1"),
        (f"{SOURCE}first_contact_hours = 0", "first_contact_hours is 0; it must be a number of hours above 0"),
        (f'{SOURCE}max_age_hours = "1 d"', "[sources.desk] max_age_hours is '1 d'; it must be a number above 0"),
        ("brand = 1", "brand must be a table, [brand]"),
        (
            "[brand]\ncolor = 1",
            "[brand]: key 'color' is not one of name, logo, colour_light, colour_dark; did you mean",
        ),
        ('[brand]\nname = " "', "[brand] name is ' '; it must be a text of one line and at most 40 letters"),
        ('[brand]\nlogo = "a.gif"', "[brand] logo is 'a.gif'; it must be a file of one of the kinds .svg, .png, .jpg,"),
        ('[brand]\nlogo = "a.svg"', "[brand] logo is 'a.svg'; there is no such file in"),
        (
            '[brand]\ncolour_dark = "red"',
            "[brand] colour_dark is 'red'; write it like #1F5FAE: red, green and blue, two hexadecimal digits each",
        ),
        (f"{SOURCE}full_export = 1", "[sources.desk] full_export is 1; it must be true or false"),
        (f'{SOURCE}as_of = "yesterday"', "[sources.desk] as_of is 'yesterday'; write it like 2026-01-31T18:00:00Z"),
        (f'{SOURCE}timezone = "CEST+1"', "[sources.desk] timezone: time zone 'CEST+1' is unknown"),
        (f"{SOURCE}map = 'none.toml'", "none.toml: there is no such mapping file"),
        (
            f'{SOURCE}[sources.desk.status]\n"Awaiting Parts" = "onhold"',
            "[sources.desk] status: 'Awaiting Parts' is mapped to 'onhold', which is not one of new, in_progress, on_hold, "
            "resolved, closed, cancelled; did you mean 'on_hold'?",
        ),
        (
            f'{SOURCE}token = "s3cret"',
            "[sources.desk] token: a secret may not stand in the configuration; name where it is: "
            '{ env = "VARIABLE" } or { file = "path" }',
        ),
    ],
)
def test_a_mistake_is_named_with_what_it_may_be(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "meantime.toml") in str(caught.value) or "mapping file" in message


def test_a_literal_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(tmp_path, f'{SOURCE}token = "s3cret"')
    assert "s3cret" not in str(caught.value)


def test_a_missing_configuration_says_what_to_do_instead(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration; write one, or try `meantime load FILE"):
        config.read(tmp_path / "meantime.toml")


def test_a_brand_is_read_with_its_logo_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "acme.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "huge.png").write_bytes(bytes(600 * 1024))
    read = parsed(tmp_path, '[brand]\nname = "Acme"\nlogo = "acme.svg"\ncolour_light = "#8A1538"').brand
    assert read == Brand("Acme", tmp_path / "acme.svg", "#8A1538", None)
    assert read.colours == {"light": "#8A1538"}
    with pytest.raises(ConfigError, match=r"\[brand\] logo is 'huge.png', of 600 KiB; it may have 512 KiB"):
        parsed(tmp_path, '[brand]\nlogo = "huge.png"')


def test_files_are_found_by_pattern_relative_to_the_configuration(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    found = parsed(tmp_path, '[sources.desk]\nkind = "servicenow"\nfiles = ["a.csv", "*.csv"]').sources["desk"].paths()
    assert found == [tmp_path / "a.csv", tmp_path / "b.csv"]


def test_a_pattern_without_a_match_is_named(tmp_path: Path) -> None:
    source = parsed(tmp_path, SOURCE).sources["desk"]
    with pytest.raises(ConfigError, match=r"\[sources.desk\] files: nothing matches 'a.csv' in"):
        source.paths()


@pytest.mark.parametrize(
    ("told", "instant"),
    [
        ("2026-01-31T18:00:00Z", datetime(2026, 1, 31, 18)),
        ("2026-01-31T18:00:00+02:00", datetime(2026, 1, 31, 16)),
        ("2026-01-31 18:00:00.9", datetime(2026, 1, 31, 18)),
        ("2026-01-31", datetime(2026, 1, 31)),
    ],
)
def test_an_as_of_is_read_as_utc_in_whole_seconds(told: str, instant: datetime) -> None:
    assert config.instant(told, "as_of") == instant
