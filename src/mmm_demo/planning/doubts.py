"""Numbers of a plan file that another unit would explain: told with what they mean, or refused.

Percent for a share, thousands for money, a week's or a year's budget for the window's, all sales
for sales by media. A number is held against the last period; where nothing was spent or sold there
is nothing to hold it against.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Scenario
from mmm_demo.settings.wording import amount, roas

FAR = 4.0  # budgets further than this factor from the last period's are told
OFF = 20.0  # other numbers further than this factor from what they are held against
MOST_BACK = 50.0  # margin that a unit of spend may bring back; beyond it no media is known to be
MUCH_BACK = 10.0
NO_MONEY = 0.1  # sales per unit of spend below which sales can hardly be counted in money
WEEKS_A_YEAR = 52


def doubts(scenario: Scenario, window: Window, replay: float) -> tuple[str, ...]:
    """Return what in a scenario looks like another unit, a sentence each, with the numbers.

    Parameters
    ----------
    scenario, window
        What is asked, and when.
    replay
        Sales by media that a replay of the last period is expected to bring.
    """
    before = _ratio(replay, float(window.current.sum()))
    found = chain(
        _margin(scenario, window, before), _target(scenario, window, replay, before), _cost(window)
    )
    return (*doubts_of_limits(scenario, window), *found)


def doubts_of_limits(scenario: Scenario, window: Window) -> tuple[str, ...]:
    """Return the doubts about budget and bounds, which need no model."""
    return (*_budget(scenario, window), *_bounds(scenario, window))


def require_margin(scenario: Scenario, window: Window, replay: float) -> None:
    """Refuse a margin that would make the last period's spend a miracle.

    A margin above 1 is right where sales are orders or sign-ups (money earned by each); where they
    are money it is a percentage that should be a share.

    Raises
    ------
    BudgetError
        Where a unit of spend would have earned more than `MOST_BACK`.
    """
    margin, before = scenario.margin or 0.0, _ratio(replay, float(window.current.sum()))
    if margin > 1 and margin * before > MOST_BACK:
        raise BudgetError(f"scenario {scenario.name}: {_margin_text(margin, window, before)}")


def counted(scenario: Scenario, window: Window, replay: float) -> str:
    """Say what a target that is out of reach counts, and what it may have been meant for."""
    target, weeks = scenario.target or 0.0, window.weeks
    if scenario.objective == "target_roas":
        return _as_share(target, _ratio(replay, float(window.current.sum())), window)
    told = (
        f"a target counts sales that media bring, {amount(replay)} by a repeat of the last "
        f"{weeks} weeks, and not all sales, which were {amount(window.sales)} in these weeks"
    )
    rest = window.sales - replay  # what comes without media
    if target > rest > 0 and target > replay:
        told += (
            f"; {amount(target)} of all sales would be a target of about {amount(target - rest)}"
        )
    return told


def _budget(scenario: Scenario, window: Window) -> Iterator[str]:
    asked, spent, weeks = scenario.total_budget, float(window.current.sum()), window.weeks
    if asked is None or not spent > 0:
        return
    factor = asked / spent
    if factor >= 1 / FAR and (factor <= FAR or not scenario.spends_all):
        return
    guesses = {
        "in thousands": 1000.0,
        "for a week": float(weeks),
        "in thousandths": 1e-3,
        "for a year": weeks / WEEKS_A_YEAR,
    }
    meant = [
        f"; if it is meant {unit}, write {amount(asked * times)}"
        for unit, times in guesses.items()
        if 1 / FAR <= factor * times <= FAR and (times > 1) == (factor < 1)
    ]
    yield (
        f"total_budget {amount(asked)} is for all {weeks} weeks and {_times(factor)} what the "
        f"last {weeks} weeks spent ({amount(spent)}, {amount(spent / weeks)} a week)"
        f"{''.join(meant[:1])}"
    )


def _bounds(scenario: Scenario, window: Window) -> Iterator[str]:
    spent = dict(zip(window.channels, window.current.tolist(), strict=True))
    limits = {f"bounds of {name}": (*ends, spent[name]) for name, ends in scenario.bounds.items()}
    for name, group in scenario.groups.items():
        most = np.inf if group.at_most is None else group.at_most
        limits[f"group {name}"] = (group.at_least, most, sum(spent[of] for of in group.channels))
    for what, (low, high, before) in limits.items():
        if not before > 0:
            continue
        end, word = (high, "at most") if 0 < high * OFF < before else (low, "at least")
        if end is low and not low > OFF * before:
            continue
        yield (
            f"{what}: {word} {amount(end)} is {_times(end / before)} what the last "
            f"{window.weeks} weeks spent there ({amount(before)}); limits are for the whole "
            "window, in the unit of the spend"
        )
    for name, (low, high) in scenario.relative_bounds.items():
        if high > OFF:
            yield (
                f"relative_bounds of {name}: [{low:g}, {high:g}] allows {high:g} times what the "
                f"last {window.weeks} weeks spent; if percent are meant, write "
                f"[{low / 100:g}, {high / 100:g}]"
            )


def _margin(scenario: Scenario, window: Window, before: float) -> Iterator[str]:
    margin = scenario.margin or 0.0
    if margin > 1 and not (before < NO_MONEY and margin * before <= MUCH_BACK):
        yield _margin_text(margin, window, before)


def _margin_text(margin: float, window: Window, before: float) -> str:
    back = ""
    if np.isfinite(before):
        back = (
            f", so that each unit of money that the last {window.weeks} weeks spent earned "
            f"{roas(margin * before)} (ROAS {roas(before)})"
        )
    meant = f"{margin:g}% is {margin / 100:g}" if margin <= 100 else "write a share"
    return (
        f"margin {margin:g} means {100 * margin:g}% of sales{back}. Where sales are counted in "
        f"money, {meant}; above 1 it is right only where they are orders or the like, as the "
        "money that each earns"
    )


def _target(scenario: Scenario, window: Window, replay: float, before: float) -> Iterator[str]:
    target = scenario.target
    if target is None:
        return
    if scenario.objective == "target_response":
        if 0 < target * OFF < replay:
            yield (
                f"target {amount(target)} is {_times(target / replay)} the sales by media that a "
                f"repeat of the last {window.weeks} weeks is expected to bring ({amount(replay)}); "
                "it is for the whole window, in the unit of the sales"
            )
    elif before > 0 and not 1 / OFF <= target / before <= OFF:
        yield _as_share(target, before, window)


def _as_share(target: float, before: float, window: Window) -> str:
    told = (
        f"target {target:g} is held against sales by media per unit of spend, which the last "
        f"{window.weeks} weeks had {roas(before)} of"
    )
    if before > 0 and 1 / OFF <= target / before / 100 <= OFF:
        told += f"; if percent are meant, write {target / 100:g}"
    return told


def _cost(window: Window) -> Iterator[str]:
    money = window.current
    for name, cost, spent in zip(window.channels, window.cost, money, strict=True):
        others = float(money.sum() - spent)
        if cost != 1 and others > 0 and spent > OFF * others:
            yield (
                f"cost_per_unit {cost:g} makes {name} {spent / money.sum():.1%} of all money of "
                f"the last {window.weeks} weeks; a price per thousand is to be divided by 1000 "
                f"({cost / 1000:g})"
            )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _times(factor: float) -> str:
    """Write a factor as people say it: 1/13 of, 38 times."""
    if factor >= 1:
        return f"{factor:,.3g} times" if factor < 1000 else f"{factor:,.0f} times"
    return f"1/{1 / factor:,.0f} of"
