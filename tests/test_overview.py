"""The overview: one sentence that says what matters, the slices that moved most, how fresh it all is."""

from __future__ import annotations

import doctest
import re
from datetime import date
from pathlib import Path

import pytest
from test_pages import lead, load, opened, row, said, sample

from dashboard import freshness, query, why, words

__all__ = ["sample"]
"""Pages keep their versions open, in another manner than the tests that share the other sample."""


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(freshness).failed == 0


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2025-10-06", "2025-12-28"),
        ("2025-03-10", "2025-03-30"),
        ("2025-06-02", "2025-08-24"),
        ("2025-05-05", "2025-06-01"),
    ],
)
def test_one_sentence_names_what_the_tiles_find_out_of_the_ordinary(
    since: str, until: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "overview", since=[since], until=[until])
    sentence = re.sub(r"\\(.)", r"\1", lead(app))
    assert re.findall(r"[.!?](?:\s|$)", sentence) == ["."]
    signals = re.findall(r"signal: ([^*]+)\*\*", said(app))
    changes = [text for text in said(app).splitlines() if text.startswith("a change of")]
    missed = re.findall(r"target [^\n]*: missed by [^\n]*, beyond chance", said(app))
    named = sentence.partition("out of the ordinary: ")[2]
    assert [signal for signal in signals[:3] if signal not in named] == []
    assert bool(named) == bool(signals or changes or missed)
    assert ("nothing is out of the ordinary" in sentence) == (not named)


def test_what_matters_on_the_sample(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.sub(r"\\(.)", r"\1", lead(opened(monkeypatch, sample))) == (
        "**1,783** incidents were opened in the 12 weeks to 28 Dec 2025, resolving took **31 h** on average; out of the "
        "ordinary: incidents opened (week of 22 Dec below its limits) and resolution target met (15 weeks in a row below "
        "the centre line)."
    )


def test_without_days_before_there_is_nothing_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tmp_path, [row(at, date(2026, 1, 5 + at)) for at in range(9)])
    app = opened(monkeypatch, data, period=["all"])
    assert "(n = 9, not settled)** on average; there is nothing yet to compare it with." in lead(app)
    assert "desk is" in said(app)


def test_the_three_slices_are_the_largest_parts_of_all_columns(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample)
    scope = query.Scope(date(2025, 10, 6), date(2025, 12, 28))
    warehouse = query.open_data(sample)
    parts = {
        (part["member"], by): part
        for by in ("assignment_group", "service", "category", "priority")
        for part in why.bridges(warehouse, "mttr", scope, (by,))[by].parts.iter_rows(named=True)
        if max(part["n_before"], part["n_now"]) >= 5
    }
    largest = sorted(parts, key=lambda one: -abs(parts[one]["part"]))[:3]
    lines = [line.removeprefix("- ") for line in said(app).splitlines() if line.startswith("- **")]
    for line, one in zip(lines, largest, strict=True):
        name = f"P{one[0]}" if one[1] == "priority" else one[0]
        short = "group" if one[1] == "assignment_group" else one[1]
        assert line.startswith(f"**{name}** ({short}) adds ")
        assert words.duration(parts[one]["value_now"]).replace(words.GAP, " ") in line
    assert "The whole is within normal variation. Slices of different columns overlap." in said(app)
    warehouse.connection.close()


@pytest.mark.parametrize(
    ("page", "since", "until", "named"),
    [
        ("resolution", "2024-10-07", "2024-12-29", "week of 23 Dec above its limits"),
        ("acknowledgement", "2024-10-07", "2024-12-29", "week of 23 Dec above its limits"),
        ("first_contact", "2024-12-16", "2025-03-09", "9 weeks in a row above the centre line"),
        ("resolution", "2025-10-06", "2025-12-28", ""),
        ("acknowledgement", "2025-10-06", "2025-12-28", ""),
        ("first_contact", "2025-10-06", "2025-12-28", ""),
    ],
)
def test_a_page_of_one_kpi_names_its_signal_in_its_lead(
    page: str, since: str, until: str, named: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, page, since=[since], until=[until], grain=["week"])
    said = re.search(
        r", (?:and|but) out of the ordinary (?:day by day|week by week|month by month): ([^.]*)\.", lead(app)
    )
    assert (said[1] if said else "") == named
