"""Charts as a page hands them to the browser, checked against the schema of Vega-Lite and against Altair's own writing."""

from __future__ import annotations

from typing import Any

from dashboard.charts import vega

written = vega.spec


def checked(chart: Any) -> dict[str, Any]:
    """Write a chart as Altair does, and see that ours is the same; where layers share rows Altair writes them above."""
    theirs: dict[str, Any] = chart.to_dict(validate=True)
    ours = written(chart)
    if "layer" in theirs and "data" in theirs:
        data = theirs.pop("data")
        theirs["layer"] = [{"data": data, **layer} for layer in theirs["layer"]]
    assert ours == theirs
    return theirs
