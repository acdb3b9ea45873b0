"""How figures look: one accent for cgsim, grey for MD; drawn as SVG whose colours are the page's, light or dark."""

import hashlib
import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

# Colours of figures stand for CSS variables of the page: each becomes var(--name) in the finished SVG.
INK, MUTED, RULE = "#1f2428", "#68707b", "#d4d9df"
CGSIM, MD, SHORT_MD = "#0b6ba6", "#858d96", "#a3aab2"
TINTS = ("#b9d9ee", "#f0ddb8", "#c9e4cf", "#e3d2ea", "#f3cfc9", "#d9dee4")
LINES = (CGSIM, "#b5651d", "#2f7d4f", "#8a4a9e", "#937a10", "#4d5963")
_DARK_LINES = ("#5db4e6", "#f0a45c", "#73cc93", "#cb9be0", "#dcc65a", "#b9c2cb")
_DARK_TINTS = ("#2b5873", "#6b5626", "#31603c", "#5d4469", "#74423b", "#4a525b")
LIGHT = {
    "page": "#ffffff",
    "surface": "#f6f7f9",
    "ink": INK,
    "muted": MUTED,
    "rule": RULE,
    "cgsim": CGSIM,
    "md": MD,
    "short-md": SHORT_MD,
    "poor": "#a8321f",
    "off": "#8a5a00",
    **{f"line-{k}": color for k, color in enumerate(LINES) if k},
    **{f"tint-{k}": tint for k, tint in enumerate(TINTS)},
}
DARK = {
    "page": "#14171a",
    "surface": "#1d2125",
    "ink": "#e4e7ea",
    "muted": "#9aa3ad",
    "rule": "#353b42",
    "cgsim": "#5db4e6",
    "md": "#9aa2ab",
    "short-md": "#7d858e",
    "poor": "#ff9a85",
    "off": "#e5b455",
    **{f"line-{k}": color for k, color in enumerate(_DARK_LINES) if k},
    **{f"tint-{k}": tint for k, tint in enumerate(_DARK_TINTS)},
}
_IN_FIGURES = tuple(name for name in LIGHT if name not in {"page", "surface", "poor", "off"})

PANEL = (2.95, 2.15)
WIDE = (9.4, 2.5)
_MARGINS = (0.53, 0.06, 0.42, 0.06)  # inches: left, right, bottom, top

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cgsim",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.8,
    "ytick.minor.size": 1.8,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
}


@dataclass(frozen=True)
class Panel:
    """One drawing of the page.

    Attributes:
        title: heading above it.
        svg: the drawing, to be placed into HTML as it is.
        alt: the same in words, for those who do not see it.
        note: line below it.
        width: natural width in pixels; 0 to fill the column.
    """

    title: str
    svg: str
    alt: str
    note: str = ""
    width: int = 0


@contextmanager
def plot(
    title: str, alt: str, size: tuple[float, float] = PANEL, note: str = "", *, is_fitted: bool = False
) -> Iterator["Sheet"]:
    """Open axes to draw on, their margins ``is_fitted`` to what is drawn; the block's end completes the ``panel``."""
    with mpl.rc_context(_SETTINGS):
        canvas = Canvas(figsize=size, layout="constrained" if size[0] > PANEL[0] or is_fitted else None)
        if (
            size == PANEL and not is_fitted
        ):  # margins that fit all panels, so that none has to be drawn twice to find its own
            left, right, bottom, top = _MARGINS
            canvas.subplots_adjust(left / size[0], bottom / size[1], 1 - right / size[0], 1 - top / size[1])
        sheet = Sheet(canvas.subplots(), Panel(title, "", alt, note))
        yield sheet
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        sheet.panel = replace(sheet.panel, svg=themed(buffer.getvalue(), alt))


@dataclass
class Sheet:
    """Axes that become a panel."""

    axes: Axes
    panel: Panel


def themed(svg: str, alt: str) -> str:
    """Turn a drawing into a part of the page: the page's colours, identifiers of its own, and an alternative text."""
    body = svg[svg.index("<svg") :]
    for part in (r"<metadata>.*?</metadata>", r"<!--.*?-->", r"<title>.*?</title>"):
        body = re.sub(part, "", body, flags=re.DOTALL)
    own = f"s{hashlib.sha256((body + alt).encode()).hexdigest()[:8]}-"
    body = re.sub(r"\bid=(['\"])", rf"id=\1{own}", body)
    body = re.sub(r"(?:xlink:)?href=(['\"])#", rf"href=\1#{own}", body)
    body = body.replace("url(#", f"url(#{own}")
    for name in _IN_FIGURES:
        body = re.sub(LIGHT[name], f"var(--{name})", body, flags=re.IGNORECASE)
    head, rest = body.split(">", 1)
    view = re.search(r"viewBox=(['\"])(.*?)\1", head)
    assert view is not None
    text = html.escape(alt, quote=True)
    return f'<svg viewBox="{view.group(2)}" role="img" aria-label="{text}"><title>{text}</title>{rest}'
