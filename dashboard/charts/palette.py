"""The colours of a theme, by what they are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_LIGHT_PRIORITIES = ("#0B2F5E", "#1F5FAE", "#5B90CF", "#93B8E2", "#C3D8EF")
_DARK_PRIORITIES = ("#D6E7FD", "#A5CBF8", "#6CA8F0", "#3F7CC4", "#2B5587")


class Palette(NamedTuple):
    """The colours of one theme, by what they are for."""

    paper: str
    panel: str
    ink: str
    muted: str
    lines: str
    series: tuple[str, ...]
    others: str
    priorities: tuple[str, ...]

    @property
    def accent(self) -> str:
        """The one colour that a picture with a single series uses."""
        return self.series[0]


LIGHT = Palette(
    "#FBFAF7",
    "#F2F0EA",
    "#1B1F24",
    "#5B636E",
    "#D9D5CB",
    ("#1F5FAE", "#B4870F", "#1EA569", "#87000F", "#4B003C"),
    "#6B7280",
    _LIGHT_PRIORITIES,
)
DARK = Palette(
    "#12161B",
    "#1B2027",
    "#E8EAED",
    "#9AA4B0",
    "#323A44",
    ("#6CA8F0", "#E1873C", "#96FFD2", "#D23C4B", "#F0FF87"),
    "#98A2AE",
    _DARK_PRIORITIES,
)


def themed(option: Callable[[str], Any], dark: bool) -> Palette:
    """Take the colours from the theme keys that `option` gives: a house with its own theme gets its own charts."""
    base = DARK if dark else LIGHT
    section = f"theme.{'dark' if dark else 'light'}."

    def key(name: str, otherwise: Any) -> Any:
        return option(section + name) or otherwise

    return Palette(
        key("backgroundColor", base.paper),
        key("secondaryBackgroundColor", base.panel),
        key("textColor", base.ink),
        key("grayTextColor", base.muted),
        key("borderColor", base.lines),
        tuple(key("chartCategoricalColors", base.series))[:5],
        key("grayColor", base.others),
        base.priorities,
    )
