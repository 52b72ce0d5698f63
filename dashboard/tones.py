"""What eyes make of colours: contrast as WCAG 2.2 counts it, mixtures, and tints dark or light enough to be read."""

from __future__ import annotations

import math

READABLE = 4.5
"""WCAG 2.2, 1.4.3 (AA): the least contrast of text with what it stands on."""
VISIBLE = 3.0
"""WCAG 2.2, 1.4.11 (AA): the least contrast of a mark that one must see to understand a picture."""


# Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
# table 1, severity 1.0: in linear light, one row per channel.
SIGHTS = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TOLD_APART = 0.075
"""Least distance in Oklab: nearly four times what one just notices side by side (0.02)."""


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


def oklab(linear: tuple[float, ...]) -> tuple[float, ...]:
    """Ottosson (2020), "A perceptual color space for image processing"."""
    red, green, blue = (min(max(one, 0.0), 1.0) for one in linear)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def seen(colour: str, sight: str) -> tuple[float, ...]:
    """A colour as one kind of eye sees it."""
    linear = channels(colour)
    return oklab(tuple(sum(part * one for part, one in zip(row, linear, strict=True)) for row in SIGHTS[sight]))
