"""The README tells the truth: its blocks run, its outputs are real, and nothing that exists is left out of it."""

from __future__ import annotations

import gc
import re
import shlex
import tomllib
from pathlib import Path

import duckdb
import pytest
import readme
import streamlit
from click.testing import CliRunner
from conftest import ROOT

from etl import catalog, config, sources
from etl.cli import cli
from etl.sources import table

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def alone() -> None:
    """Let go of the versions that pages of earlier tests have open: commands and analysts open them in ways of their own."""
    streamlit.cache_resource.clear()
    gc.collect()


def test_every_picture_of_the_readme_is_one_that_the_command_takes_and_is_small() -> None:
    names = re.findall(r"!\[[^]]+\]\(\.github/(\w+)\.png\)", TEXT)
    assert sorted(names) == sorted(path.stem for path in (ROOT / ".github").glob("*.png"))
    taken = re.findall(
        r'^    "(\w+)": Shot', (ROOT / "tests" / "pictures.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(names) == sorted(taken)
    sizes = {name: (ROOT / ".github" / f"{name}.png").stat().st_size for name in names}
    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def test_the_generated_parts_are_up_to_date(sample: Path) -> None:
    assert readme.generated(TEXT, sample / "incidents.duckdb") == TEXT


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in block.splitlines() if line.startswith("meantime")]
)
def test_a_shell_example_runs(sample: Path, line: str) -> None:
    arguments = shlex.split(line, comments=True)[1:]
    result = CliRunner().invoke(cli, ["--data", str(sample), *arguments])
    assert result.exit_code == 0, result.output


def test_make_knows_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    assert named == ["demo", "test"]
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in named)


def test_the_configuration_example_is_valid(tmp_path: Path) -> None:
    example = next(block for block in blocks("toml") if "[sources.servicedesk]" in block)
    read = config.parse(tomllib.loads(example), tmp_path / "meantime.toml")
    assert read.sources["servicedesk"].options.status == {"Awaiting Parts": "on_hold"}


def test_the_map_example_names_only_what_exists() -> None:
    example = tomllib.loads(next(block for block in blocks("toml") if "[fields]" in block))
    assert set(example) <= set(table.MAP_KEYS)
    assert set(example["fields"]) <= set(table.FIELDS)


def test_every_command_is_documented() -> None:
    assert [name for name in cli.commands if f"`meantime {name}`" not in TEXT] == []


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{command.name} {option.name}"
        for command in cli.commands.values()
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", None) and option.name != "format_"
    ]
    assert silent == []


def test_every_configuration_key_is_documented() -> None:
    keys = [*config.SOURCE_KEYS, *(key for key in config.TOP_KEYS if key != "sources")]
    assert [key for key in keys if f"`{key}`" not in TEXT and f"{key} =" not in TEXT] == []


def test_every_map_key_is_documented() -> None:
    assert [key for key in table.MAP_KEYS if key not in TEXT] == []


def test_every_source_is_named_and_has_an_example() -> None:
    for kind in sources.kinds():
        module = sources.source(kind)
        assert module.EXAMPLE, kind
        assert module.__doc__, kind
        assert kind in TEXT


def test_every_table_and_column_has_a_comment(sample: Path) -> None:
    con = duckdb.connect(sample / "incidents.duckdb", read_only=True)
    silent = con.execute(
        "select table_name, column_name from duckdb_columns() where schema_name in ('main', 'kpi') and not internal"
        " and comment is null order by all"
    ).fetchall()
    tables = con.execute(
        "select table_name from duckdb_tables() where schema_name in ('main', 'kpi') and comment is null"
        " union all select view_name from duckdb_views() where schema_name in ('main', 'kpi') and not internal and comment is null"
    ).fetchall()
    con.close()
    assert silent == []
    assert tables == []


def test_the_catalog_in_the_warehouse_is_the_one_in_the_files(sample: Path) -> None:
    con = duckdb.connect(sample / "incidents.duckdb", read_only=True)
    rows = con.execute("select name, title, unit, counted_at from kpi.catalog order by name").fetchall()
    con.close()
    assert rows == [(kpi.name, kpi.title, kpi.unit, kpi.counted_at) for kpi in catalog.kpis()]
