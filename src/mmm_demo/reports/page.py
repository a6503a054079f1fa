"""One self-contained HTML page: text, tables and figures that need nothing from elsewhere."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED
from mmm_demo.settings.wording import share

PNG_DPI = 110
Drawing = Figure | bytes  # bytes are a PNG
TEXT, LONG = 13, 29  # characters from which on a cell may wrap, and keeps a width to be read in
MARKS = {PASSED: "passed", FAILED: "failed", NOT_ASSESSABLE: "unknown", "not measured": "unknown"}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("mmm_demo.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
NUMBER = re.compile(r"[-+]?[\d,.]+\s?[%kMBT]?|n/a|[-+]?infinite")


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes
    ----------
    heading
        What it is about.
    paragraphs
        Plain text; markup is shown as it is written.
    tables
        By caption; numbers, dates and true/false are written as people read them.
    figures
        By a text that says what they show; as PNG where they are drawn already (`png`).
    folded
        Whether a reader opens it first; paper has it open.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    folded: bool = False


def render_page(
    title: str, lead: Sequence[str] | Mapping[str, str], sections: Sequence[Section]
) -> str:
    """Return a page as HTML text, for a browser, a phone or paper.

    Parameters
    ----------
    title
        Of the page.
    lead
        What a reader should know who reads nothing else, a sentence or two each; by what it answers
        where that helps.
    sections
        In the order in which they are shown.
    """
    parts = [
        {
            "heading": section.heading,
            "folded": section.folded,
            "paragraphs": section.paragraphs,
            "figures": {text: _embedded(figure) for text, figure in section.figures.items()},
            "tables": {caption: _cells(table) for caption, table in section.tables.items()},
        }
        for section in sections
    ]
    page = _TEMPLATES.get_template("page.html.jinja")
    named = isinstance(lead, Mapping)
    answers, sentences = (lead, ()) if named else ({}, lead)
    return page.render(title=title, answers=answers, lead=sentences, sections=parts)


def cell_text(value: Any) -> str:
    """Return a value as people read it: 1,234 and 0.123, 2024-01-01, yes, n/a."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT:
        return "n/a"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    if pd.api.types.is_float(value):
        return _number(float(value))
    return str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    rounded = float(f"{value:.3g}") + 0.0  # no -0
    return f"{rounded:.3g}" if abs(rounded) < 1e-3 or abs(rounded) >= 100 else f"{rounded:#.3g}"


def in_percent(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Write columns of fractions as percentages."""
    return table.assign(**{name: [share(value, 1) for value in table[name]] for name in columns})


def _cells(table: pd.DataFrame) -> dict[str, Any]:
    """Write the cells of a table, each with whether it stands on the right like a number."""
    columns = [[cell_text(value) for value in table.iloc[:, i]] for i in range(table.shape[1])]
    right = [all(NUMBER.fullmatch(text) for text in column) for column in columns]
    header = [str(name).replace("_", " ") for name in table.columns]
    rows = [
        [(text, _classes(text, number)) for text, number in zip(row, right, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    return {"header": list(zip(header, right, strict=True)), "rows": rows}


def _classes(text: str, number: bool) -> str:
    """Return how a cell is shown: as a number, as a verdict, or wide enough for its text."""
    if number or text in MARKS:
        return "number" if number else MARKS[text]
    return "long" if len(text) >= LONG else "text" if len(text) >= TEXT else ""


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, the same for the same figure."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return file.getvalue()


def _embedded(figure: Drawing) -> str:
    picture = figure if isinstance(figure, bytes) else png(figure)
    return base64.b64encode(picture).decode("ascii")
