"""What all tests share: the switch under which nothing may skip, and where things are."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
NO_SKIP = os.environ.get("MEANTIME_NO_SKIP") == "1"

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/real")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Under MEANTIME_NO_SKIP=1 a skipped test has failed: what is skipped in CI is never tested at all."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but MEANTIME_NO_SKIP=1 allows no skip: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real incident data beside the project."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared, which is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium")
    return found


@pytest.fixture
def as_root() -> None:
    """For tests that mount or change user."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the sample exports loaded and published."""
    from etl import config, refresh

    folder = tmp_path_factory.mktemp("sample")
    outcome = refresh.refresh(folder, config.read(ROOT / "data/sample/meantime.toml"))
    assert outcome.exit_code == 0
    return folder
