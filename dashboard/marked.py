"""What the pages write as Markdown, read back as runs of text: all that a report needs of it.

Pages know bold, code, links, a line that is an item, and Streamlit's :small[...] and :gray[...]; strangers' text in them is
escaped by `words.plain`, and comes back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<bold>\*\*)|`(?P<code>[^`]+)`|:(?:small|gray|orange-badge)\[|(?P<open>\[)|\]\((?P<to>[^)]*)\)"
    r"|(?P<close>\])",
    re.DOTALL,
)


class Run(NamedTuple):
    """A piece of text in one style."""

    text: str
    is_bold: bool = False
    is_code: bool = False


def runs(markdown: str) -> list[Run]:
    r"""Read Markdown as runs of text.

    >>> runs(r"**4.2 h** of \*ours\*, see [there](x) and `kpi.mttr`")
    [Run(text='4.2 h', is_bold=True, is_code=False), Run(text=' of *ours*, see there and ', is_bold=False, is_code=False), Run(text='kpi.mttr', is_bold=False, is_code=True)]
    """
    found: list[Run] = []
    for one in _pieces(markdown):
        if found and found[-1][1:] == one[1:]:
            found[-1] = found[-1]._replace(text=found[-1].text + one.text)
        elif one.text:
            found.append(one)
    return found


def _pieces(markdown: str) -> Iterator[Run]:
    is_bold, at = False, 0
    for token in _TOKEN.finditer(markdown):
        yield Run(markdown[at : token.start()], is_bold)
        at = token.end()
        if token["escaped"] is not None:
            yield Run(token["escaped"], is_bold)
        elif token["bold"]:
            is_bold = not is_bold
        elif token["code"] is not None:
            yield Run(token["code"], is_bold, True)
    yield Run(markdown[at:], is_bold)


def plain(markdown: str) -> str:
    r"""Give the text alone.

    >>> plain(r"**P1** \& more")
    'P1 & more'
    """
    return "".join(run.text for run in runs(markdown))
