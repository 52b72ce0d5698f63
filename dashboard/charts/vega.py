"""Charts as Vega-Lite reads them: laid over each other and written down without a copy of any part.

Altair copies every part of a chart several times, its rows too, to lay it over others and to write it down: on some pages
that took as long as asking for their numbers. Here a chart is made, written once and thrown away, so nothing needs to be
kept from changing. The tests compare each chart that a page draws with what Altair itself writes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
from altair.utils import schemapi
from altair.utils.schemapi import SchemaBase, Undefined

# Altair checks every part of every chart against the whole schema of Vega-Lite, which took most of a page's time. The
# tests check each chart that a page draws instead. Its own theme would set sizes that the page sets.
schemapi.disable_debug_mode()
alt.theme.enable("none")

TYPES = {"Q": "quantitative", "N": "nominal", "O": "ordinal", "T": "temporal"}
"""What the letter behind a field's name says of it."""
_PRIVATE = frozenset(("shorthand", "_cached_hash"))
"""What Altair keeps for itself."""


class Rows(alt.Data):
    """Rows of a chart, which its layers share."""

    def __deepcopy__(self, _: object) -> Rows:
        return self


def data(rows: Sequence[Mapping[str, Any]]) -> alt.Data:
    """Give the rows of a chart."""
    return Rows(values=list(rows))


def laid(*layers: Any) -> alt.LayerChart:
    """Lay charts over each other; what can be picked in a layer is picked in the whole: there Streamlit looks for it."""
    whole = alt.LayerChart()
    picked = []
    for place, layer in enumerate(layers):
        if given := [] if layer.params is Undefined else layer.params:
            layer.name = f"view_{place}"
            picked += [
                alt.TopLevelSelectionParameter(name=one.name, select=one.select, views=[layer.name]) for one in given
            ]
            layer.params = Undefined
    whole.layer = list(layers)
    if picked:
        whole.params = picked
    return whole


def spec(chart: Any) -> dict[str, Any]:
    """Write a chart down."""
    return {**_written(chart), "$schema": alt.SCHEMA_URL}


def _written(part: Any) -> Any:
    if isinstance(part, Rows):
        return {"values": part.values}
    if isinstance(part, SchemaBase):
        return _written(part._args[0]) if part._args else _named(part._kwds)
    if isinstance(part, dict):
        return {name: _written(one) for name, one in part.items() if one is not Undefined}
    if isinstance(part, (list, tuple)):
        return [_written(one) for one in part]
    return part


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write what has names; of `duration:Q` that is a field and, where it may have one, its type."""
    found = {name: _written(one) for name, one in given.items() if one is not Undefined and name not in _PRIVATE}
    short = given.get("shorthand", Undefined)
    if short is not Undefined:
        found["field"], _, letter = short.partition(":")
        # A second field of an axis is of the first one's type, and has none of its own.
        if letter and "type" in given:
            found["type"] = TYPES[letter]
    if isinstance(found.get("mark"), str):
        found["mark"] = {"type": found["mark"]}
    return found
