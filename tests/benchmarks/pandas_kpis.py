"""A straightforward pandas script for the four KPIs of a ServiceNow log: what many people would write first."""

from __future__ import annotations

import sys

import pandas as pd


def kpis(path: str) -> dict[str, float]:
    """Give MTTR, MTTA, volume and first-contact resolution of a whole-row history log."""
    rows = pd.read_csv(path, na_values="?", low_memory=False)
    rows = rows[rows["incident_state"] != "-100"].sort_values(["number", "sys_mod_count"])
    for column in ("opened_at", "resolved_at", "closed_at", "sys_updated_at"):
        rows[column] = pd.to_datetime(rows[column], format="%d/%m/%Y %H:%M")
    last = rows.groupby("number").last()
    resolved = rows[rows["incident_state"] == "Resolved"].groupby("number")["sys_updated_at"].first()
    taken = rows[rows["incident_state"] != "New"].groupby("number")["sys_updated_at"].first()
    to_resolve = last["resolved_at"].fillna(resolved) - last["opened_at"]
    to_acknowledge = taken - last["opened_at"]
    held = rows[rows["incident_state"] == "Awaiting User Info"].groupby("number").size().reindex(last.index).notna()
    first_contact = (last["reassignment_count"] == 0) & (last["reopen_count"] == 0) & ~held
    return {
        "mttr": to_resolve.dt.total_seconds().mean() / 3600,
        "mtta": to_acknowledge.dt.total_seconds().mean() / 3600,
        "volume": float(len(last)),
        "fcr": float(first_contact.mean()),
    }


if __name__ == "__main__":
    print(kpis(sys.argv[1]))
