"""One chart as a picture that stands by itself: its question above it, and below it what it shows and what that means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

SERIF = "'Source Serif', 'Source Serif 4', 'Source Serif Pro', Georgia, serif"
SANS = "'Source Sans', 'Source Sans Pro', 'Source Sans 3', sans-serif"
EDGE = 28
WIDE = 0.5
"""How wide a sign is on average, of the height of the type; a little more than it is, so that no line is cut."""


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines that fit, within a word only where it is longer than a line."""
    most = max(8, int(width / (size * WIDE)))
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while len(word) > most:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:most])
            word = word[most:]
        if line and len(line) + 1 + len(word) > most:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines


def size_of(svg: str) -> tuple[float, float]:
    """Read width and height of a drawing."""
    found = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', svg)
    assert found, "a drawing says how large it is"
    return float(found[1]), float(found[2])


def compose(
    chart: str, *, title: str, subtitle: str, alt: str, lines: Sequence[str], paper: str, ink: str, muted: str
) -> str:
    """Set a chart between its question and its foot.

    Args:
        chart: the drawing, as SVG.
        title: its question.
        subtitle: n and period.
        alt: the finding, for those who cannot see it.
        lines: what stands below.
        paper: colour of the ground.
        ink: colour of the title.
        muted: colour of all other words.
    """
    width, height = size_of(chart)
    room = width
    y = EDGE + 22.0
    drawn: list[str] = []

    def say(text: str, size: float, family: str, colour: str, weight: int, step: float) -> None:
        nonlocal y
        for line in wrapped(text, size, room):
            drawn.append(
                f'<text x="{EDGE}" y="{y:.0f}" font-family="{family}" font-size="{size}" font-weight="{weight}" '
                f'fill="{colour}">{escape(line)}</text>'
            )
            y += step

    say(title, 24, SERIF, ink, 600, 30)
    y -= 6
    say(subtitle, 13, SANS, muted, 400, 18)
    y -= 4
    drawn.append(chart.replace("<svg ", f'<svg x="{EDGE}" y="{y:.0f}" ', 1))
    y += height + 26
    for line in lines:
        say(line, 11.5, SANS, muted, 400, 16)
        y += 3
    whole_width, whole_height = width + 2 * EDGE, y + EDGE - 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'width="{whole_width:.0f}" height="{whole_height:.0f}" viewBox="0 0 {whole_width:.0f} {whole_height:.0f}">'
        f"<title>{escape(title)}</title><desc>{escape(alt)}</desc>"
        f'<rect width="100%" height="100%" fill="{paper}"/>{"".join(drawn)}</svg>'
    )
