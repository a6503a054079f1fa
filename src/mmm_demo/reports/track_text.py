"""A tracked plan in words and rows: for the terminal, the run's page and the version."""

import math

from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.planning.outcome import DEVIATION_MAX, HELD, NOT_FOLLOWED, Forecast, PlanOutcome
from mmm_demo.settings.wording import amount, number_of

HEADER = ("week", "all sales", "promised (94 %)", "inside", "spend planned", "spent")
OFF = 0.02  # a channel off its plan by more than this is named
GROUND = (
    "Promised: total sales under the planned spend; expected: under the spend that happened. Both "
    "know the real controls and all carryover, so they show whether the version's intervals can "
    "be trusted, not what media brought."
)


def sentences(outcome: PlanOutcome) -> list[str]:
    """Return what became of a plan; the verdict first."""
    return [verdict(outcome), _weeks(outcome), _money(outcome)]


def verdict(outcome: PlanOutcome) -> str:
    """Return whether the promise held, in one sentence."""
    weeks, planned = len(outcome.weeks), outcome.weeks_planned
    done = weeks == planned
    when = f"after all {planned} weeks" if done else f"so far ({weeks} of {planned} weeks)"
    if outcome.status == NOT_ASSESSABLE:
        return f"Not assessable {when}: spend or sales are not known, so nothing counts as held."
    if outcome.status == NOT_FOLLOWED:
        side = "inside" if outcome.expected.total.table["inside_94"].item() else "outside"
        return (
            f"Not followed {when}: {_share(outcome.deviation)} of the planned money went elsewhere "
            f"(at most {DEVIATION_MAX:.0%} may), so the promise cannot be judged. Given the spend "
            f"that happened, {_position(outcome.expected, side)}."
        )
    held = outcome.status == HELD
    word, side = ("Held", "inside") if held else ("Not held", "outside")
    return f"{word} {when}: {_position(outcome.promised, side)}."


def short(outcome: PlanOutcome) -> str:
    """Return the result in a few words, for a list."""
    inside = outcome.promised.table["inside_94"].sum()
    side = "inside" if outcome.promised.total.table["inside_94"].item() else "outside"
    return f"{number_of(len(outcome.weeks))}, {inside} inside 94 %, total {side}, {outcome.status}"


def headline(outcome: PlanOutcome, name: str) -> str:
    """Return the title of a figure of a plan with this name."""
    return f"{name}: {short(outcome)}"


def rows(outcome: PlanOutcome) -> list[tuple[str, ...]]:
    """Return a row per week (`HEADER`) and one for all of them."""
    table, total = outcome.table, outcome.promised.total
    lines = [
        (
            f"{week.week:%Y-%m-%d}",
            f"{week.realised:,.0f}",
            f"{week.promised_lower_94:,.0f} to {week.promised_upper_94:,.0f}",
            "yes" if week.promised_inside_94 else "no",
            f"{week.spend_planned:,.0f}",
            amount(week.spend_realised),
        )
        for week in table.itertuples()
    ]
    return [
        *lines,
        (
            "total",
            f"{total.realised.item():,.0f}",
            _span(total),
            "yes" if total.table["inside_94"].item() else "no",
            f"{table['spend_planned'].sum():,.0f}",
            amount(table["spend_realised"].sum(skipna=False)),
        ),
    ]


def _position(forecast: Forecast, side: str) -> str:
    total = forecast.total
    return (
        f"all sales of {total.realised.item():,.0f} lie {side} the 94 % interval {_span(total)}, "
        f"{total.z.item():+.1f} standard deviations from the mean"
    )


def _span(total: Forecast) -> str:
    row = total.table.iloc[0]
    return f"{row['lower_94']:,.0f} to {row['upper_94']:,.0f}"


def _weeks(outcome: PlanOutcome) -> str:
    counts = [
        forecast.table[f"inside_{level}"].sum()
        for forecast in (outcome.promised, outcome.expected)
        for level in (94, 50)
    ]
    return (
        "Of {} week(s), {} lie inside the promised 94 % interval and {} inside the 50 %; given the "
        "spend that happened, {} and {}."
    ).format(len(outcome.weeks), *counts)


def _money(outcome: PlanOutcome) -> str:
    table = outcome.by_channel
    spent, planned = table["realised"].sum(skipna=False), table["planned"].sum()
    off = [
        f"{row.channel} {row.planned:,.0f} planned, {amount(row.realised)} spent"
        for row in table.itertuples()
        if not abs(row.deviation) <= OFF * row.planned
    ]
    named = f" Off plan: {'; '.join(off)}." if off else " Every channel is on plan."
    return f"Spent {amount(spent)} of {planned:,.0f} planned.{named}"


def _share(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "more than all"
