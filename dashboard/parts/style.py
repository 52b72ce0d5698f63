"""What no theme key can say: the measure of a page, the rules of a newspaper, and the colours of the theme that a reader sees."""

from __future__ import annotations

import streamlit as st

from dashboard import printing, tones
from dashboard.charts import palette
from dashboard.charts.palette import Palette

STYLE = """
<style>
.stMainBlockContainer { max-width: 1240px; padding-top: 4.5rem; }
.st-key-masthead { border-bottom: 3px double @lines; padding-bottom: .35rem; }
.st-key-masthead p, .st-key-shown p { font-size: .875rem; }
.st-key-foot { border-top: 1px solid @lines; padding-top: .75rem; margin-top: 1rem; }
.st-key-lead p { font-family: @serif; font-size: 1.32rem; line-height: 1.5; max-width: 46em; }
.st-key-lead, [class*="st-key-tile"] p, [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums lining-nums; }
[class*="st-key-tile"] p { line-height: 1.35; }
[class*="st-key-tile"] [data-testid="stMetricValue"] > div { font-family: @serif; }
[class*="st-key-few"] [data-testid="stMetricValue"] { color: @muted; }
[data-testid="stCaptionContainer"] { opacity: 1; }
[data-testid="stCaptionContainer"] p { color: @muted; }
[data-testid="stCaptionContainer"] code, .stExpander summary code { font-size: .8125rem !important; }
.stExpander summary { opacity: 1; }
[data-testid="stBaseButton-primary"] { color: @on_tint !important; }
/* Whoever walks through a page by keyboard sees where he is, and the tools of a picture when he reaches them. */
a:focus-visible, main:focus-visible, [role="tab"]:focus-visible, summary:focus-visible, button:focus-visible {
    outline: 2px solid @accent !important; outline-offset: 1px;
}
.stElementToolbar:focus-within { opacity: 1 !important; }
[class*="st-key-take-"] button { min-height: 1.4rem; padding-block: 0; font-size: .8125rem; color: @muted; }
/* That work is going on is said without moving the page. */
.st-key-working { position: fixed; top: 4.25rem; right: 1rem; z-index: 100; width: auto; pointer-events: none; }
.st-key-working .stSpinner {
    background: @panel; border: 1px solid @lines; border-radius: .25rem; padding: .25rem .75rem;
}
.st-key-sql textarea { font-family: "Source Code Pro", monospace; font-size: .875rem; }
/* Streamlit's own CSV writes a cell that begins with = as the formula that it then is; ours stands below each table. */
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) { display: none; }
/* Without a pointer the tools of a table are always there, over what stands above it. */
@media (hover: none) { .stElementContainer:has(.stDataFrame) { margin-top: 2.25rem; } }
/* Three pictures side by side begin at one height, whether their subtitles take one line or two. */
@media (min-width: 641px) { .st-key-three [data-testid="stCaptionContainer"] { min-height: 3.1em; } }
@media (max-width: 640px) {
    .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
    h1 { font-size: 1.9rem !important; }
    .st-key-lead p { font-size: 1.15rem; }
    [class*="st-key-tile"] [data-testid="stMetricValue"] { font-size: 1.6rem; }
}
</style>
"""
"""What no theme key can say: the measure of the page, the newspaper's rules and the serif numbers."""
SERIF = "'Source Serif', 'Source Serif 4', 'Source Serif Pro', Georgia, serif"


def colours() -> Palette:
    """Give the colours of the theme that this reader sees."""
    return palette.themed(st.get_option, dark=st.context.theme.type == "dark")


def style() -> None:
    """Set what no theme key can say, in the colours of this reader's theme."""
    tints = colours()
    named = {
        "@lines": tints.lines,
        "@panel": tints.panel,
        "@muted": tints.muted,
        "@accent": tints.accent,
        "@on_tint": max((tints.paper, tints.ink), key=lambda one: tones.contrast(one, tints.accent)),
        "@serif": SERIF,
    }
    text = STYLE + printing.STYLE
    for name, value in named.items():
        text = text.replace(name, value)
    st.html(text)
