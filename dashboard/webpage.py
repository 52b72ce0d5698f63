"""A page as one HTML file: it opens without a network, runs nothing and asks for nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import branding, marked, rendering, words
from dashboard.charts import palette
from dashboard.charts.palette import Palette
from dashboard.plate import SANS, SERIF
from dashboard.record import Record

POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:"
"""Whatever a stranger wrote: no script runs, and nothing is fetched."""
FACES = {"Source Sans": "SourceSansVF-Upright", "Source Serif": "SourceSerifVariable-Roman"}
"""The fonts of the pages, as Streamlit brings them."""
STYLE = """
@page { size: A4; margin: 14mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 1.5rem 1.25rem 3rem; background: @paper; color: @ink;
    font: 16px/1.5 @sans; font-variant-numeric: tabular-nums lining-nums; }
header { display: flex; flex-wrap: wrap; gap: .5rem 2rem; justify-content: space-between; font-size: .875rem;
    border-bottom: 3px double @lines; padding-bottom: .4rem; }
header i { font-style: normal; color: @made_up; margin-left: .6rem; }
h1, h2, .value, .lead { font-family: @serif; }
h1 { font-size: 2.3rem; font-weight: 600; margin: 1.4rem 0 .6rem; line-height: 1.15; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; font-weight: 600; margin: 2rem 0 .2rem; line-height: 1.25; overflow-wrap: anywhere; }
p, li { margin: .4rem 0; overflow-wrap: anywhere; }
.lead { font-size: 1.28rem; max-width: 46em; }
.note, .muted, header span:last-child, footer, figcaption { color: @muted; font-size: .875rem; }
.tiles, .row { display: grid; gap: 1rem; margin: 1.2rem 0; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); }
.row.two { grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.row.three { grid-template-columns: repeat(auto-fit, minmax(min(290px, 100%), 1fr)); }
.tile { border: 1px solid @lines; border-radius: 4px; padding: .8rem; break-inside: avoid; }
.tile p { margin: .1rem 0; font-size: .8125rem; color: @muted; }
.tile .name { color: @ink; font-size: 1rem; }
.tile .value { color: @ink; font-size: 2rem; font-weight: 600; line-height: 1.2; }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figure h2 { margin-top: 1rem; }
svg { max-width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8125rem; width: 100%; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid @lines;
    max-width: 32rem; overflow-wrap: anywhere; }
th { background: @panel; }
.right { text-align: right; white-space: nowrap; }
details { border: 1px solid @lines; border-radius: 4px; padding: .5rem .9rem; margin: .8rem 0; }
summary { cursor: pointer; }
footer { border-top: 1px solid @lines; margin-top: 2rem; padding-top: .6rem; }
footer p { margin: .2rem 0; }
dl { margin: .6rem 0 0; } dt { color: @ink; float: left; clear: left; margin-right: .5rem; } dd { margin: 0 0 .2rem; }
"""


def to_html(record: Record) -> bytes:
    """Make the file."""
    layout = rendering.laid_out(record)
    drawn = rendering.drawings(layout)
    title = escape(marked.plain(record.title))
    stamp = record.stamp
    made_up = "<i>Sample data: made up, of no real service desk</i>" if stamp.is_made_up else ""
    body = "".join(_folded(layout.blocks, drawn))
    foot = "".join(f"<p>{escape(line)}</p>" for line in rendering.foot(record))
    meant = "".join(
        f"<dt>{escape(one.title)}</dt><dd><code>{escape(one.macro)}</code>, {escape(one.unit)}, counted at "
        f"{escape(one.counted_at)}: {escape(one.meaning)}</dd>"
        for one in stamp.definitions
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light">'
        f"<title>{title}</title><style>{_faces()}{_style(palette.themed(st.get_option, dark=False))}</style></head><body>"
        f"<header><span><strong>{escape(branding.worn().name)}</strong>{made_up}</span><span>{escape(stamp.shown)}</span></header>"
        f"<main>{body}</main><footer>{foot}<dl>{meant}</dl></footer></body></html>"
    ).encode()


def _style(colours: Palette) -> str:
    named = {
        "@paper": colours.paper,
        "@panel": colours.panel,
        "@ink": colours.ink,
        "@muted": colours.muted,
        "@lines": colours.lines,
        "@made_up": colours.series[3],
        "@serif": SERIF,
        "@sans": SANS,
    }
    text = STYLE
    for name, value in named.items():
        text = text.replace(name, value)
    return text


def _faces() -> str:
    """Bring the fonts along; where Streamlit has none of these files, the reader's own serve."""
    folder = Path(st.__file__).parent / "static" / "static" / "media"
    found = []
    for family, name in FACES.items():
        for file in sorted(folder.glob(f"{name}*.woff2"))[:1]:
            data = base64.b64encode(file.read_bytes()).decode()
            found.append(
                f"@font-face{{font-family:'{family}';font-weight:200 900;src:url(data:font/woff2;base64,{data}) format('woff2')}}"
            )
    return "".join(found)


def _folded(blocks: Sequence[dict[str, Any]], drawn: Sequence[str]) -> list[str]:
    """Write blocks; what the page folds away stays folded, under the same words."""
    written: list[str] = []
    fold = ""
    for block in blocks:
        if block["fold"] != fold:
            written += ["</details>"] if fold else []
            fold = block["fold"]
            written += [f"<details><summary>{escape(fold)}</summary>"] if fold else []
        written.append(_block(block, drawn))
    return [*written, *(["</details>"] if fold else [])]


def _block(block: dict[str, Any], drawn: Sequence[str]) -> str:
    if block["kind"] == "text":
        tag, kind = {"title": ("h1", ""), "heading": ("h2", "")}.get(block["role"], ("p", block["role"]))
        said = _runs(block["runs"])
        return f"<p>• {said}</p>" if kind == "item" else f'<{tag} class="{kind}">{said}</{tag}>'
    if block["kind"] == "tiles":
        return f'<div class="tiles">{"".join(_tile(one, drawn) for one in block["tiles"])}</div>'
    if block["kind"] == "pictures":
        how = {1: "one", 2: "two", 3: "three"}[len(block["pictures"])]
        return f'<div class="row {how}">{"".join(_picture(one, drawn) for one in block["pictures"])}</div>'
    return _table(block)


def _runs(runs: Sequence[dict[str, Any]]) -> str:
    def one(run: dict[str, Any]) -> str:
        said = escape(run["text"])
        tag = "strong" if run["is_bold"] else "code" if run["is_code"] else ""
        return f"<{tag}>{said}</{tag}>" if tag else said

    return "".join(one(run) for run in runs)


def _drawing(place: int, alt: str, drawn: Sequence[str]) -> str:
    """Set a drawing into the page: its names are its own, and it says what it shows."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="c{place}-\1"', drawn[place])
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#c{place}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#c{place}-\1"', svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)


def _tile(one: dict[str, Any], drawn: Sequence[str]) -> str:
    lines = "".join(f"<p>{_runs(line)}</p>" for line in one["lines"])
    spark = "" if one["chart"] is None else _drawing(one["chart"], one["alt"], drawn)
    name, value = escape(one["title"]), escape(one["value"])
    return f'<div class="tile"><p class="name">{name}</p><p class="value">{value}</p>{lines}{spark}</div>'


def _picture(one: dict[str, Any], drawn: Sequence[str]) -> str:
    title = f"<h2>{escape(one['title'])}</h2>" if one["title"] else ""
    svg = _drawing(one["chart"], one["alt"], drawn)
    return f"<figure>{title}<figcaption>{escape(one['subtitle'])}</figcaption>{svg}</figure>"


def _table(block: dict[str, Any]) -> str:
    sides = [' class="right"' if right else "" for right in block["right"]]
    header = "".join(f"<th{side}>{escape(name)}</th>" for name, side in zip(block["header"], sides, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{side}>{escape(said)}</td>" for said, side in zip(row, sides, strict=True)) + "</tr>"
        for row in block["rows"]
    )
    many = words.counted(len(block["rows"]), "row")
    caption = escape(f"{block['title']} ({many})" if block["title"] else many)
    return (
        f'<div class="wide"><table><caption>{caption}</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
