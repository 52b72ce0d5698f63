"""How a page is printed by the browser: what it says, without what is clicked; the overview on one page of A4."""

STYLE = """
<style>
@media print {
    @page { size: A4; margin: 9mm; }
    * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    html, body, #root, .stApp, [data-testid="stAppViewContainer"], [data-testid="stMain"],
    [data-testid="stAppViewContainer"] > div {
        position: static !important; display: block !important; height: auto !important; min-height: 0 !important;
        max-height: none !important; overflow: visible !important;
    }
    /* What is only there to be clicked. */
    header, [data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stToolbar"], [data-testid="stStatusWidget"],
    [data-testid="stBottom"], .stElementToolbar, .stTooltipIcon, .stPopover, .stSelectbox, .stMultiSelect, .stButton,
    .stDownloadButton, .stToggle, .stCheckbox, .stButtonGroup, .stExpander:not(:has(details[open])),
    [data-testid="stSkipLink"] {
        display: none !important;
    }
    /* A page is laid out as wide as on a screen, and made smaller as a whole: the pictures keep their size in it. */
    .stMainBlockContainer { zoom: @zoom; max-width: none !important; padding: 0 !important; }
    [data-testid="stVerticalBlock"] { gap: .6rem; }
    h1 { font-size: 1.9rem !important; padding: 0 !important; }
    h2 { padding: .2rem 0 0 !important; }
    .stVegaLiteChart, .stDataFrame, [class*="st-key-tile"], .stHeading { break-inside: avoid; }
    .stHeading { break-after: avoid; }
    /* Columns stand side by side on paper, whatever the width of the sheet. */
    [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {
        display: flex !important; flex-wrap: nowrap !important; gap: 1rem !important;
    }
    :has(> .stGridCell [class*="st-key-tile"]) { grid-template-columns: repeat(4, 1fr) !important; }
    [data-testid="stColumn"] { min-width: 0 !important; flex: 1 1 0 !important; }
    .stVegaLiteChart canvas, .stVegaLiteChart svg { max-width: 100% !important; }
    [class*="st-key-tile"] { padding: .4rem .7rem !important; }
    .st-key-lead p { max-width: none !important; line-height: 1.35 !important; }
    .st-key-three [data-testid="stCaptionContainer"] { min-height: 0 !important; }
    .st-key-foot { margin-top: 0 !important; padding-top: .3rem !important; }
    /* Definitions have a page of their own. */
    .st-key-foot > :has(a) { display: none !important; }
    .stVegaLiteChart { zoom: .88; }
    ul, li, li p { margin: 0 !important; padding-top: 0 !important; padding-bottom: 0 !important; }
}
</style>
""".replace("@zoom", "0.5")
