"""The shape of the house: what may know what, and where things may stand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

ETL = sorted((ROOT / "etl").rglob("*.py"))
PAGES = sorted((ROOT / "dashboard/app_pages").glob("*.py"))
SOURCES = sorted(path for path in (ROOT / "etl/sources").glob("*.py") if path.stem != "__init__")
SQL = sorted([*(ROOT / "etl").rglob("*.sql"), *(ROOT / "dashboard").rglob("*.sql"), *(ROOT / "tests").rglob("*.sql")])
CODE = [*ETL, *sorted((ROOT / "dashboard").rglob("*.py"))]
KEYWORDS = "select|from|where|group by|order by|join|union|insert|create|delete|with|having|qualify|window|limit"


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [path for path in ETL if path.name != "cli.py"], ids=name)
def test_etl_knows_no_dashboard(path: Path) -> None:
    assert [module for module in imports(path) if module.split(".")[0] in ("dashboard", "streamlit")] == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_source_knows_nothing_of_what_comes_after_it(path: Path) -> None:
    later = ("etl.store", "etl.refresh", "etl.publish", "etl.catalog", "etl.config", "etl.archive", "duckdb")
    assert [module for module in imports(path) if module.startswith(later)] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_has_nothing_to_compute_a_kpi_with(path: Path) -> None:
    tools = ("duckdb", "etl", "numpy", "pandas", "statistics", "scipy")
    assert [module for module in imports(path) if module.split(".")[0] in tools] == []
    assert re.findall(r"kpi\.\w+\(|\bquantile_cont\b|\bavg\(", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_has_a_title(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert path.stem not in ("utils", "helpers", "common", "misc")


@pytest.mark.parametrize("path", SQL, ids=name)
def test_sql_is_written_in_lower_case_and_begins_with_its_grain(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    code = re.sub(r"--.*|'(?:[^']|'')*'", "", text)
    assert re.findall(rf"\b(?:{KEYWORDS.upper()})\b", code) == []


def test_only_the_query_layer_and_the_fenced_process_open_the_warehouse_in_the_dashboard() -> None:
    openers = [name(path) for path in sorted((ROOT / "dashboard").rglob("*.py")) if "duckdb" in imports(path)]
    assert openers == ["dashboard/fenced.py", "dashboard/query/warehouse.py"]
