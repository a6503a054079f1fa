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
    """

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)


def render_page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Return a page as HTML text, for a browser, a phone or paper.

    Parameters
    ----------
    title
        Of the page.
    lead
        What a reader should know who reads nothing else, a sentence or two each.
    sections
        In the order in which they are shown.
    """
    parts = [
        {
            "heading": section.heading,
            "paragraphs": section.paragraphs,
            "figures": {text: _embedded(figure) for text, figure in section.figures.items()},
            "tables": {caption: _cells(table) for caption, table in section.tables.items()},
        }
        for section in sections
    ]
    page = _ENVIRONMENT.from_string(_TEMPLATE)
    return page.render(title=title, lead=lead, sections=parts, css=_CSS)


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


_ENVIRONMENT = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)

_CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #22262c; line-height: 1.5;
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .6rem; border-top: 1px solid #c3c9d1; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { margin: 0; padding: .8rem 1rem .8rem 2.1rem; background: #f3f6fa;
  border-left: 4px solid #0173b2; }
.lead li { margin: .35rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: #5d6570; padding-bottom: .3rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e6e9ed; }
thead th { border-bottom: 2px solid #c3c9d1; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
td.text, td.long { white-space: normal; }
.passed { color: #1d5c3f; }
.failed { color: #a3260f; font-weight: 700; }
.unknown { color: #5d6570; font-style: italic; }
.passed::before { content: "\\2713\\00a0"; }
.failed::before { content: "\\2717\\00a0"; }
.unknown::before { content: "?\\00a0"; }
.long { min-width: 15rem; }
img { display: block; max-width: 100%; height: auto; }
@media screen and (max-width: 40rem) {
  main { padding: 1rem .9rem 2rem; }
  h1 { font-size: 1.35rem; }
  .figure img { max-width: none; width: 42rem; }
  .text { min-width: 8rem; }
}
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  h2, section p { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  .long { min-width: 0; }
  /* A table that may be longer than a page is left to break between its rows. */
  .scroll:not(:has(tr:nth-child(16))), p, tr, .lead li { break-inside: avoid; }
  .lead { background: none; }
}
"""

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>{{ css | safe }}</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
{% if lead %}
<ul class="lead">
{% for sentence in lead %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% endif %}
{% for section in sections %}
<section>
<h2>{{ section.heading }}</h2>
{% for paragraph in section.paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% for text, png in section.figures.items() %}
<div class="scroll figure"><img alt="{{ text }}" src="data:image/png;base64,{{ png }}"></div>
{% endfor %}
{% for caption, table in section.tables.items() %}
<div class="scroll">
<table>
<caption>{{ caption }}</caption>
<thead><tr>
{% for name, right in table.header %}
<th scope="col"{% if right %} class="number"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>
{% for text, look in row %}
<td{% if look %} class="{{ look }}"{% endif %}>{{ text }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""
