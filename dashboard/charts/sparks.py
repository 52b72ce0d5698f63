"""The run of a value in a tile: a small drawing without axes, made here.

A page has eight of them, and a browser takes as long to set up Vega for one as for a whole picture.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from dashboard.charts import lines, scales, timeline
from dashboard.charts.palette import Palette
from dashboard.charts.timeline import Point

HEIGHT = 44
EDGE = 6
"""Pixels that stay free above and below."""
SIDE = 0.03
"""Share of the width that stays free on each side."""
MOST_SOLID, MOST_HOLLOW = 40, 120
"""Points up to which each has a mark of its own."""


class Spark(NamedTuple):
    """The run of a value; what cannot be compared is hollow and dashed, a gap stays a gap."""

    points: tuple[Point, ...]

    def svg(self, colours: Palette, width: int | None = None) -> str:
        """Draw it as SVG: as many pixels wide, or, without a width, as wide as its place."""
        across = self._across(width)
        top = max(lines.heights(self.points), default=0.0) * 1.08 or 1.0
        known = [point for point in self.points if point.value is not None]
        stretches = timeline.runs(self.points)
        joined = {id(point) for _, members in stretches for point in members}

        def down(point: Point) -> str:
            # What lies beyond stands a little below the edge.
            share = 0.97 if _is_beyond(point, top) else max(point.value or 0.0, 0.0) / top
            return _short(EDGE + (HEIGHT - 2 * EDGE) * (1 - share))

        drawn = [f'<g stroke="{colours.accent}" stroke-width="2.2" stroke-linecap="round">']
        for is_dashed, members in stretches:
            dash = ' stroke-dasharray="4 4" stroke-linecap="butt"' if is_dashed else ""
            drawn += [
                f'<line x1="{across(one)}" y1="{down(one)}" x2="{across(other)}" y2="{down(other)}"{dash}/>'
                for one, other in itertools.pairwise(members)
            ]
        drawn.append("</g>")
        for point in known:
            most = MOST_HOLLOW if point.flag else MOST_SOLID
            if len(known) <= most or id(point) not in joined:
                drawn.append(_mark(point, across(point), down(point), colours, is_beyond=_is_beyond(point, top)))
        size = f'width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}"' if width else f'height="{HEIGHT}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(drawn)}</svg>'

    def image(self, colours: Palette, alt: str) -> str:
        """Write it as an image of a page, as wide as its place, with the sentence that stands for it."""
        drawn = base64.b64encode(self.svg(colours).encode()).decode()
        style = f"display: block; width: 100%; height: {HEIGHT}px"
        return f'<img src="data:image/svg+xml;base64,{drawn}" alt="{escape(alt)}" style="{style}">'

    def _across(self, width: int | None) -> Callable[[Point], str]:
        """Place points by the middle of their periods, as on the trends."""
        middles = [timeline.middle(point) for point in self.points if point.value is not None]
        first, long = min(middles), (max(middles) - min(middles)) or 1

        def at(point: Point) -> str:
            share = SIDE + (1 - 2 * SIDE) * (timeline.middle(point) - first) / long
            return _short(share * width) if width else f"{_short(share * 100)}%"

        return at


def has_value(points: Sequence[Point]) -> bool:
    """Say whether there is anything to draw."""
    return any(point.value is not None for point in points)


def _is_beyond(point: Point, top: float) -> bool:
    return (point.value or 0.0) > top


def _mark(point: Point, x: str, y: str, colours: Palette, *, is_beyond: bool) -> str:
    if not point.flag:
        tint = colours.others if point.n < scales.FEW else colours.accent
        return f'<circle cx="{x}" cy="{y}" r="2.9" fill="{tint}"/>'
    hollow = f'fill="{colours.paper}" stroke="{colours.accent}" stroke-width="1.6"'
    if is_beyond:
        return f'<svg x="{x}" y="{y}" overflow="visible"><path d="M-3.7 3.2L3.7 3.2L0 -3.2Z" {hollow}/></svg>'
    return f'<circle cx="{x}" cy="{y}" r="3.5" {hollow}/>'


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
