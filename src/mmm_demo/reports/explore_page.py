"""An exploration as figures and as one page: what the data hold, and what they can tell."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mmm_demo.reports.figures import exploration_figures
from mmm_demo.reports.page import Section, in_percent, render_page
from mmm_demo.sources import explore_measures as measure
from mmm_demo.sources.explore import Exploration
from mmm_demo.tables.records import ALMOST_NONE

PAIRS_SHOWN = 30


def exploration_page(exploration: Exploration, label: str, noticed: Sequence[str] = ()) -> str:
    """Return an exploration as one self-contained HTML page.

    Parameters
    ----------
    exploration
        What was found.
    label
        What the data may be called, e.g. `DT Mart look-alike`.
    noticed
        What was said when the data were read, in sentences.
    """
    figures = exploration_figures(exploration)
    parts = (_columns, _levels, _separation, _lags, _controls, _outlying)
    sections = [part(exploration, figures) for part in parts]
    title = f"What this data can tell: {label}"
    return render_page(title, [*exploration.verdict, *noticed], sections)


def _columns(found: Exploration, figures: dict[str, Figure]) -> Section:
    weeks, spent = found.weeks, found.channels[["channel", "spend", "spend_share"]]
    gaps = ", ".join(f"{week:%Y-%m-%d}" for week in found.missing_weeks) or "none"
    about = (
        f"Source: {found.source}. {len(weeks)} weeks from {weeks.iloc[0]:%Y-%m-%d} to "
        f"{weeks.iloc[-1]:%Y-%m-%d}; missing weeks: {gaps}."
    )
    tables = {
        "Every column, by week": in_percent(found.columns, "zero_weeks"),
        "Spend by channel": in_percent(spent, "spend_share"),
    }
    shown = {
        f"{found.model.target_column} over time": figures["target"],
        "Spend over time by channel": figures["spend"],
        "Share of spend by channel": figures["spend_share"],
    }
    return Section("What was sold and spent", [about], tables, shown)


def _levels(found: Exploration, figures: dict[str, Figure]) -> Section:
    paragraphs = [
        "A level is a run of weeks over which spend stands still (within 0.1 %). A week at the "
        "border of two months, whose spend is a mixture of both, is no level of its own. "
        "Adstock and saturation can only be learned where spend changes.",
        f"All channels together: {found.media_observations} effective media observations for "
        f"{found.media_parameters} media parameters, and {len(found.table)} weeks for "
        f"{found.parameters} parameters in all.",
    ]
    caption = "Spend levels by channel; amounts: distinct ones; monthly: changes with months only"
    table = found.channels[["channel", "levels", "weeks_per_level", "amounts", "monthly"]]
    return Section("How often spend was really set anew", paragraphs, {caption: table})


def _separation(found: Exploration, figures: dict[str, Figure]) -> Section:
    inflation = found.channels[["channel", "vif", "vif_with_controls"]]
    tables = {"Variance inflation (VIF) of each channel": inflation}
    if len(found.contrasts):
        tables["Combinations of channels that hardly moved"] = found.contrasts
    if len(found.pairs):
        caption = "Pairs, the closest first"
        if len(found.pairs) > PAIRS_SHOWN:
            caption += f" ({PAIRS_SHOWN} of {len(found.pairs)})"
        tables[caption] = found.pairs.head(PAIRS_SHOWN)
    paragraphs = [
        "Channels that rise and fall together share their effect: above a correlation of "
        f"{measure.INSEPARABLE:g} they cannot be told apart, above {measure.HARDLY:g} hardly. "
        "A combination of channels that never moved, such as one against the other, leaves its "
        "effect to the priors.",
        "Condition number of the standardised channels: "
        f"{found.condition_number:.3g} (1: independent, above 30: high).",
    ]
    shown = {
        "Correlation of each pair of columns": figures["correlations"],
        "Variance inflation of each channel": figures["vif"],
    }
    return Section("What can be told apart", paragraphs, tables, shown)


def _lags(found: Exploration, figures: dict[str, Figure]) -> Section:
    about = (
        "Correlation is no effect: season, sale days and other channels are in it. Where it "
        "hardly changes with the lag, as it must when spend stands still for weeks, it tells "
        "nothing about carry-over."
    )
    caption = f"Correlation of {found.model.target_column} with the spend of earlier weeks"
    shown = {caption: figures["lagged_correlations"]}
    return Section("Spend of earlier weeks", [about], figures=shown)


def _controls(found: Exploration, figures: dict[str, Figure]) -> Section:
    text = (
        "Mean of the target in weeks with and without each indicator or count, with a 94 % t "
        "interval of the difference. Nothing else is accounted for, so this is a first look and "
        "no effect."
    )
    if found.effects.empty:
        return Section("Sale days and other indicators", ["The table has none that varies."])
    table = in_percent(found.effects, "share")
    return Section("Sale days and other indicators", [text], {"With and without": table})


def _outlying(found: Exploration, figures: dict[str, Figure]) -> Section:
    text = (
        f"Weeks further than {measure.OUTLIER_Z:g} robust standard deviations from the median of "
        "their column, and weeks of almost no target "
        f"(below {ALMOST_NONE:.0%} of its median)."
    )
    if found.outliers.empty:
        return Section("Weeks that stand out", [text, "There are none."])
    return Section("Weeks that stand out", [text], {"Outlying weeks": found.outliers})
