"""A comparison of two versions as one HTML page."""

import pandas as pd

from mmm_demo.evidence.compare import NOISE, Comparison, PairedMeasure, Regret
from mmm_demo.plots.compare import roas_of_both
from mmm_demo.reports.page import Section, render_page
from mmm_demo.settings.wording import MEDIA_SALES, ROAS_UNIT, roas_between, share
from mmm_demo.settings.wording import roas as roas_text


def comparison_page(comparison: Comparison, name_a: str, name_b: str) -> str:
    """Return a comparison as one self-contained HTML page.

    Parameters
    ----------
    comparison
        What was found.
    name_a, name_b
        What the versions may be called, e.g. `demo version 3`.
    """
    sections = [part(comparison) for part in (_differences, _forecasts, _returns, _plans)]
    return render_page(f"A ({name_a}) and B ({name_b})", comparison.sentences(), sections)


def _differences(found: Comparison) -> Section:
    heading = "What differs"
    if found.differences.empty:
        return Section(heading, ["Configuration, data and priors are the same."])
    return Section(heading, tables={"Configuration, data and priors": _capital(found.differences)})


def _forecasts(found: Comparison) -> Section:
    paragraphs = [
        "CRPS: how far the forecast distribution lies from the sales that came, in sales units; "
        "less is better. Both models forecast the same weeks, each fold by a refit that never saw "
        "them. ELPD: log density that the model gives to each week left out in turn (PSIS-LOO); "
        "more is better.",
        f"A difference of less than {NOISE:g} standard errors is no more than noise. Over a few "
        "folds the standard error itself is uncertain: read one of 2 to 3 as a hint.",
    ]
    measures = {"Mean CRPS": found.crps, "ELPD": found.elpd}
    remarks = {name: of.reason or of.note for name, of in measures.items()}
    paragraphs += [f"{name}: {text}." for name, text in remarks.items() if text]
    tables = {"Forecasts": pd.DataFrame([_measure(*item) for item in measures.items()])}
    if len(found.folds):
        tables["CRPS by fold; start: first week that was forecast"] = _capital(found.folds)
    return Section("Who forecasts better", paragraphs, tables)


def _measure(name: str, of: PairedMeasure) -> dict[str, object]:
    return {
        "measure": name,
        "A": of.a,
        "B": of.b,
        "difference": of.difference,
        "standard error": of.standard_error,
    }


def _capital(table: pd.DataFrame) -> pd.DataFrame:
    """Name the columns of A and B as the text does."""
    names = {"a": "A", "b": "B", "crps_a": "CRPS A", "crps_b": "CRPS B"}
    names |= {"share_a": "share of budget A", "share_b": "share of budget B"}
    return table.rename(columns=names)


def _returns(found: Comparison) -> Section:
    roas = found.roas
    table = pd.DataFrame({"channel": roas["channel"]})
    for name in "ab":
        table[name.upper()] = roas[f"median_{name}"].map(roas_text)
        ends = (roas[f"lower_94_{name}"], roas[f"upper_94_{name}"])
        table[f"94% interval of {name.upper()}"] = [*map(roas_between, *ends)]
    table["overlap"] = [share(value) for value in roas["overlap"]]
    table["agree"] = roas["agree"]
    text = (
        "Overlap: area that both posteriors share; chance keeps it a little below 100% for equal "
        "ones. They agree where each median lies inside the other's interval."
    )
    figures = {"ROAS of A and B: median and 94% interval by channel": roas_of_both(roas)}
    tables = {f"ROAS by channel, {ROAS_UNIT}": table}
    return Section("Return on ad spend", [text], tables, figures)


def _plans(found: Comparison) -> Section:
    heading = "What to do with the money"
    if found.no_plans:
        return Section(heading, [f"There are no plans to compare: {found.no_plans}."])
    shares = {name: found.money[name].map(share) for name in ("share_a", "share_b")}
    cases = {
        "A's plan where B's model is right": found.regret_a,
        "B's plan where A's model is right": found.regret_b,
    }
    paragraphs = [
        f"Plan overlap: {share(found.plan_overlap)} of the budget goes to the same channels. "
        f"Regret: expected {MEDIA_SALES} that are lost by following the other model's plan, "
        "as a share of the better plan's, over windows of the same length and money; carryover "
        "from each model's own past spend is accounted for.",
        *(f"{case}: {of.reason}." for case, of in cases.items() if of.reason),
    ]
    tables = {
        "Planned spend by channel": _capital(found.money.assign(**shares)),
        f"Regret, share of {MEDIA_SALES}": pd.DataFrame([*map(_loss, cases, cases.values())]),
    }
    return Section(heading, paragraphs, tables)


def _loss(case: str, of: Regret) -> dict[str, str]:
    return {
        "case": case,
        "regret": share(of.share, 1),
        "probability that it is worse": share(of.probability_worse),
    }
