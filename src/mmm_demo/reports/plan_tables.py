"""The tables of a plan's page, written as people read them."""

from collections.abc import Mapping

import pandas as pd

from mmm_demo.planning.plan import AGAINST, Plan
from mmm_demo.planning.study import REPLAY, PlanStudy
from mmm_demo.reports.plan_text import UNRANKED, aim, by_amounts, chance, channel_flags, gap_text
from mmm_demo.settings.wording import (
    MEDIA_SALES,
    OF_ALL,
    OF_MEDIA,
    UNKNOWN,
    change,
    money,
    percent,
    roas,
    roas_between,
    share,
    signed,
)

TO = "\u00a0to\u00a0"  # a range is never broken between lines


def changes(plan: Plan, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return what changes by channel, the smallest change beside it, and what to beware of."""
    table = plan.table
    columns = {
        "channel": table["channel"],
        "last period": table["current"].map(money),
        "plan": table["planned"].map(money),
        "change": (table["planned"] - table["current"]).map(signed),
        "change, % of last period": [*map(change, table["current"], table["planned"])],
    }
    if plan.smallest is not None:
        columns["smallest change"] = (plan.smallest.planned - table["current"]).map(signed)
    columns |= {
        "limits of the plan": _between(table, "lower_bound", "upper_bound"),
        "observed": _between(table, "observed_low", "observed_high"),
        "flags": channel_flags(plan, labels),
    }
    if (plan.window.cost != 1).any():
        columns["plan in units"] = table["units"]
    return pd.DataFrame(columns)


def costs(found: pd.DataFrame) -> pd.DataFrame:
    """Return what the replay and each scenario cost and bring (`PlanStudy.scenarios`)."""
    return pd.DataFrame(
        {
            "scenario": found["scenario"].map(spoken),
            "budget": found["budget"].map(money),
            f"expected {MEDIA_SALES}": found["response"].map(money),
            "94% interval": _between(found, "response_lower_94", "response_upper_94"),
            "ROAS": found["roas"].map(roas),
            "marginal ROAS": found["mroas"].map(roas),
        }
    )


def moves(found: pd.DataFrame) -> pd.DataFrame:
    """Return what plans bring that may move no channel further (`PlanStudy.moves`)."""
    seen = "as far as the data have seen"
    limits = [(share(most) if most else "the mix as it was") if most == most else seen
              for most in found["most"]]  # fmt: skip
    return pd.DataFrame(
        {
            "a channel changes by at most": limits,
            "gain": found["gain"].map(signed),
            "94% interval": _between(found, "lower_94", "upper_94"),
            "probability": found["probability"].map(chance),
            "of the widest plan's gain": found["of_widest"].map(share),
            "money moved": found["moved"].map(money),
            "": ["this plan" if is_plan else "" for is_plan in found["is_plan"]],
        }
    )


def profits(found: pd.DataFrame) -> pd.DataFrame:
    """Return profit, and gain in it over the replay, of the rows whose margin is known."""
    found = found[found["profit"].notna()]
    return pd.DataFrame(
        {
            "scenario": found["scenario"].map(spoken),
            "expected profit": found["profit"].map(money),
            "gain in profit": found["profit_gain"].map(signed),
            "94% interval": _between(found, "profit_gain_lower_94", "profit_gain_upper_94"),
            "probability": found["profit_probability"].map(chance),
        }
    )


def gains(study: PlanStudy) -> pd.DataFrame:
    """Return how much more each scenario sells than the replay, and how sure that is."""
    found = study.scenarios.iloc[1:]  # the replay is what they are held against
    return pd.DataFrame(
        {
            "scenario": found["scenario"].map(spoken),
            "gain": found["gain"].map(signed),
            OF_ALL: found["of_all_sales"].map(percent),
            OF_MEDIA: found["of_media_sales"].map(percent),
            "50% interval": _between(found, "gain_lower_50", "gain_upper_50"),
            "94% interval": _between(found, "gain_lower_94", "gain_upper_94"),
            "probability": found["probability"].map(chance),
            "worst 5%, on average": found["shortfall"].map(signed),
            "by amounts": [signed(by_amounts(plan)) for plan in study.plans],
            "by timing": [signed(plan.timing) for plan in study.plans],
        }
    )


def money_by_channel(study: PlanStudy) -> pd.DataFrame:
    """Return the money of each channel in the last period and in each scenario."""
    table = study.main.table
    shown = pd.DataFrame(
        {spoken(plan.scenario.name): plan.table["planned"].map(money) for plan in study.plans}
    )
    # A scenario may be called like one of these columns.
    shown.insert(0, REPLAY, table["current"].map(money), allow_duplicates=True)
    shown.insert(0, "channel", table["channel"], allow_duplicates=True)
    return shown


def asked(study: PlanStudy, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return what each scenario asks for, and what to beware of in its plan."""
    rows = []
    for plan in study.plans:
        flags = zip(plan.table["channel"], channel_flags(plan, labels), strict=True)
        told = [text.rstrip(".") for text in plan.doubts]
        told += [UNRANKED] if len(plan.unrankable) else []
        told += ["moves " + AGAINST] if (plan.pairs["verdict"] == AGAINST).any() else []
        told += [f"{channel}: {text}" for channel, text in flags if text]
        scenario = plan.scenario
        beware = "; ".join(told) or "nothing"
        rows.append((spoken(scenario.name), scenario.description, aim(scenario), beware))
    table = pd.DataFrame(rows, columns=["scenario", "described as", "asks for", "beware of"])
    return table if table["described as"].any() else table.drop(columns="described as")


def pairs(plan: Plan) -> pd.DataFrame:
    """Return whether the data rank the channels between which a plan moves money."""
    found = plan.pairs
    return pd.DataFrame(
        {
            "gains": found["taker"],
            "gives": found["giver"],
            "difference in marginal ROAS": found["difference"].map(roas),
            "94% interval": _returns(found),
            "probability": found["probability"].map(chance),
            "verdict": found["verdict"],
        }
    )


def flows(plan: Plan) -> pd.DataFrame:
    """Return the expected sales of each channel by when and from what they come."""
    names = {"carry_in": "carry-in", "inside": "in the window", "after": "carry-out"}
    sales = plan.table[[*names]].rename(columns=names)
    sales.loc["all"] = sales.sum(skipna=False)  # carry-in may be unknown
    sales = sales.map(money)
    sales.insert(0, "channel", [*plan.table["channel"], "all"])
    return sales


def returns(plan: Plan) -> pd.DataFrame:
    """Return ROAS and marginal ROAS of the planned money by channel."""
    table = plan.table
    return pd.DataFrame(
        {
            "channel": table["channel"],
            "ROAS": table["roas"].map(roas),
            "marginal ROAS": table["mroas"].map(roas),
            "94% interval of it": _returns(table),
        }
    )


def budgets(frontier: pd.DataFrame) -> pd.DataFrame:
    """Return what each budget of a frontier brings."""
    return pd.DataFrame(
        {
            "budget": frontier["budget"].map(money),
            f"expected {MEDIA_SALES}": frontier["mean"].map(money),
            "50% interval": _between(frontier, "lower_50", "upper_50"),
            "94% interval": _between(frontier, "lower_94", "upper_94"),
            "ROAS": frontier["roas"].map(roas),
            "marginal ROAS": frontier["mroas"].map(roas),
        }
    )


def weeks(plan: Plan) -> pd.DataFrame:
    """Return the money of each week by channel."""
    table = plan.weekly.map(money)
    table.insert(0, "week", plan.weekly.index, allow_duplicates=True)
    table.insert(len(table.columns), "all", plan.weekly.sum(axis=1).map(money), True)
    return table


def certificates(study: PlanStudy) -> pd.DataFrame:
    """Return how sure it is, by scenario, that no other plan is better."""
    than = {True: "every plan within its limits", False: "nearby plans only"}
    return pd.DataFrame(
        {
            "scenario": [spoken(plan.scenario.name) for plan in study.plans],
            "better by at most": [gap_text(plan) for plan in study.plans],
            "than": [than[plan.certified] for plan in study.plans],
            "error by thinning": [f"{abs(plan.thinning):.2%}" for plan in study.plans],
        }
    )


def spoken(name: str) -> str:
    """Return the name of a scenario as it is read."""
    return name.replace("_", " ")


def _between(table: pd.DataFrame, low: str, high: str) -> list[str]:
    pairs = zip(table[low], table[high], strict=True)
    return [UNKNOWN if pd.isna(a) else f"{money(a)}{TO}{money(b)}" for a, b in pairs]


def _returns(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["lower_94"], table["upper_94"], strict=True)
    return [roas_between(low, high, TO) for low, high in pairs]
