"""A process of its own that draws: charts as SVG and PNG, pages as PDF; what it takes, it gives back when it ends.

Run as `python -m dashboard.press` with a job as JSON on stdin; what was asked for is on stdout. The engine that draws the
charts holds some 100 MB once it has begun, and the dashboard must not.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path
from typing import Any

import font_source_sans_pro
import font_source_serif_pro
import vl_convert

from dashboard import plate

FONTS = [Path(package.__file__).parent / "files" for package in (font_source_sans_pro, font_source_serif_pro)]
TEMPLATE = Path(__file__).with_name("report.typ")
LOW = 0.72
"""How much lower charts are where a page is set tightly."""


Chart = dict[str, Any] | str
"""A chart as Vega-Lite reads it, or as SVG if it is drawn already."""


def svgs(charts: list[Chart]) -> list[str]:
    """Draw charts; nothing is fetched for them."""
    known = vl_convert.get_vegalite_versions()
    drawn = []
    for chart in charts:
        if isinstance(chart, str):
            drawn.append(chart)
            continue
        found = re.search(r"vega-lite/v(\d+\.\d+)", str(chart.get("$schema", "")))
        version = found[1] if found and found[1] in known else known[-1]
        drawn.append(vl_convert.vegalite_to_svg(chart, vl_version=version, allowed_base_urls=[]))
    return drawn


def lower(chart: Chart) -> Chart:
    """Give a chart with less height, unless it is small or places words by pixels."""
    if isinstance(chart, str):
        return chart
    by_pixel = re.search(r'"y2?": {"value": (?!0[},.])', json.dumps(chart))
    is_small = not isinstance(chart.get("height"), int) or chart["height"] < 100
    return chart if by_pixel or is_small else {**chart, "height": round(chart["height"] * LOW)}


def pdf(page: dict[str, Any], charts: list[Chart]) -> bytes:
    """Set a page on A4: as it reads best, or tightly, if it is then on one sheet."""
    loose, sheets = _typeset(page, svgs(charts), is_tight=False)
    if sheets == 2:
        tight, sheets = _typeset(page, svgs([lower(chart) for chart in charts]), is_tight=True)
        return tight if sheets == 1 else loose
    return loose


def _typeset(page: dict[str, Any], drawn: list[str], *, is_tight: bool) -> tuple[bytes, int]:
    import typst

    inputs = {"page": json.dumps({**page, "drawn": drawn}), "density": str(int(is_tight))}
    folders = [str(folder) for folder in FONTS]
    compiler = typst.Compiler(str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=folders, sys_inputs=inputs)
    made = compiler.compile(format="pdf")
    assert isinstance(made, bytes)
    return made, int(json.loads(compiler.query("<sheets>", field="value", one=True)))


@functools.cache
def _with_fonts() -> None:
    for folder in FONTS:
        vl_convert.register_font_directory(str(folder))


def do(job: dict[str, Any]) -> bytes:
    """Do a job: `charts` drawn `to` svgs (a list as JSON), a png or svg with its `plate`, or the pdf of a `page`."""
    _with_fonts()
    charts = job["charts"]
    match job["to"]:
        case "svgs":
            return json.dumps(svgs(charts)).encode()
        case "svg":
            return plate.compose(svgs(charts)[0], **job["plate"]).encode()
        case "png":
            made: bytes = vl_convert.svg_to_png(plate.compose(svgs(charts)[0], **job["plate"]), scale=2)
            return made
        case _:
            return pdf(job["page"], charts)


if __name__ == "__main__":
    sys.stdout.buffer.write(do(json.load(sys.stdin)))
