"""What eyes make of colours: contrast as WCAG 2.2 counts it, mixtures, and tints dark or light enough to be read."""

from __future__ import annotations

READABLE = 4.5
"""WCAG 2.2, 1.4.3 (AA): the least contrast of text with what it stands on."""
VISIBLE = 3.0
"""WCAG 2.2, 1.4.11 (AA): the least contrast of a mark that one must see to understand a picture."""


def channels(colour: str) -> tuple[float, float, float]:
    """Give red, green and blue of `#rrggbb` in linear light, each from 0 to 1 (IEC 61966-2-1)."""
    red, green, blue = (one / 255 for one in bytes.fromhex(colour.lstrip("#")))

    def linear(one: float) -> float:
        return one / 12.92 if one <= 0.04045 else float(((one + 0.055) / 1.055) ** 2.4)

    return linear(red), linear(green), linear(blue)


def luminance(colour: str) -> float:
    """Give the relative luminance, from 0 for black to 1 for white (WCAG 2.2, section 5).

    >>> round(luminance("#ffffff"), 6), luminance("#000000")
    (1.0, 0.0)
    """
    red, green, blue = channels(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"), 2), round(contrast("#777777", "#ffffff"), 2)
    (21.0, 4.48)
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(tint: str, other: str, share: float) -> str:
    """Mix two colours: `share` of the second.

    >>> mixed("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = zip(*(bytes.fromhex(colour.lstrip("#")) for colour in (tint, other)), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def legible(tint: str, paper: str, ink: str) -> str:
    """Give the tint with as much ink in it as words on this paper need; one that can be read stays as it is.

    >>> legible("#1F5FAE", "#FBFAF7", "#1B1F24"), legible("#B4870F", "#FBFAF7", "#1B1F24")
    ('#1F5FAE', '#8e6d14')
    """
    steps = (tint if step == 0 else mixed(tint, ink, step / 20) for step in range(21))
    return next((one for one in steps if contrast(one, paper) >= READABLE), ink)
