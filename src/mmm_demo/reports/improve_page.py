"""What became of the remedies of a fit's flags: an HTML page, a run's page, and a table."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence.improve import Recommendation, Tried
from mmm_demo.plots.improve import roas_of_fits
from mmm_demo.reports.check_names import check_name
from mmm_demo.reports.page import Section, render_page
from mmm_demo.reports.summary import check_lines
from mmm_demo.settings.names import as_markdown, bullets, markdown_table
from mmm_demo.settings.wording import ROAS_UNIT, amount, roas, roas_between, roas_with_interval

HEADER = ("no.", "fit", "flags", "which", "CRPS behind (s.e.)", "seconds")
RULE = (
    "Recommended is the simplest fit (fewest settings changed, then fewest parameters) that clears "
    "most flags and forecasts no worse than one standard error behind the best. Forecasts refute "
    "and never crown: fits that forecast alike may differ in what each channel is worth. Where "
    "those that clear the flags differ in that beyond their intervals, none is recommended. "
    "Nothing is promoted."
)


def improve_rows(found: Recommendation) -> list[tuple[str, str, str, str, str, str]]:
    """Return a row per fit (`HEADER`), numbered from 0, the fit as it is."""
    rows = []
    for number, row in enumerate(found.table.itertuples()):
        mark = "*" if number == found.chosen else ""
        rows.append(
            (
                f"{number}{mark}",
                row.fit,
                "n/a" if row.note else str(len(row.flags)),
                row.note or ", ".join(row.flags) or "none",
                _behind(row.behind, row.error),
                "n/a" if math.isnan(row.seconds) else f"{row.seconds:.0f}",
            )
        )
    return rows


def _behind(behind: float, error: float) -> str:
    if math.isnan(behind):
        return "n/a"
    return "the best" if behind == 0 else f"{amount(behind)} ({amount(error)})"


def improve_page(
    title: str,
    report: GateReport,
    tried: Sequence[Tried],
    found: Recommendation | None,
    sentences: Sequence[str],
) -> str:
    """Return what was found as one self-contained HTML page.

    Parameters
    ----------
    title
        Names the fit that was to be improved.
    report
        Its verdict.
    tried
        The fit as it is, then its candidates; empty where nothing was fitted.
    found
        The recommendation; None where nothing was fitted.
    sentences
        What a reader should know first.
    """
    lines = check_lines(report.flags) or ["Nothing is flagged."]
    sections = [Section("What is flagged", lines)]
    if found is not None:
        sections += [_judgement(found), _returns(tried, found)]
    return render_page(title, sentences, sections)


def _judgement(found: Recommendation) -> Section:
    table = pd.DataFrame(improve_rows(found), columns=[*HEADER])
    table["which"] = [
        row.note or ", ".join(map(check_name, row.flags)) or "none"
        for row in found.table.itertuples()
    ]
    text = (
        "CRPS: how far the forecast distribution lies from the sales that came, in sales units; "
        "less is better. All fits forecast the same weeks, each fold by a refit that never saw "
        "them, and are held against the best week by week. A flag that only an experiment can "
        "clear stays with every fit of the same spend."
    )
    return Section("Before and after", [RULE, text], {"The fit as it is, and its remedies": table})


def _returns(tried: Sequence[Tried], found: Recommendation) -> Section:
    usable = [number for number, of in enumerate(tried) if not of.unusable]
    if not usable:
        return Section("Return on ad spend", ["No fit is usable."])
    table = pd.DataFrame({"channel": tried[usable[0]].roas["channel"]})
    for number in usable:
        of = tried[number].roas
        table[f"{number}"] = [
            roas_with_interval(*row)
            for row in of[["median", "lower_94", "upper_94"]].itertuples(index=False)
        ]
    chosen = usable.index(found.chosen) if found.chosen in usable else None
    figure = roas_of_fits([(str(number), tried[number].roas) for number in usable], chosen)
    text = "Blue: the fit as it is; orange: the recommended one; rows are numbered as above."
    figures = {"ROAS by channel and fit: median and 94% interval": figure}
    tables = {f"ROAS by channel, {ROAS_UNIT}": table}
    if len(found.spread):
        spread = found.spread
        tables["Spread over the fits that clear most flags"] = pd.DataFrame(
            {
                "channel": spread["channel"],
                "lowest": spread["lowest"].map(roas),
                "highest": spread["highest"].map(roas),
                "94% intervals": [*map(roas_between, spread["lower_94"], spread["upper_94"])],
                "agree": spread["agree"].astype(bool),
            }
        )
    return Section("Return on ad spend", [text], tables, figures)


def improve_markdown(
    found: Recommendation | None, sentences: Sequence[str], file: Path | None
) -> str:
    """Return the Markdown of the run's page."""
    lines = bullets(sentences)
    if file is not None:
        lines += ["", f"Experiment file: `{file.name}`"]
    if found is not None:
        rows = [tuple(map(as_markdown, row)) for row in improve_rows(found)]
        lines += ["", *markdown_table(HEADER, rows)]
    return "\n".join(lines)
