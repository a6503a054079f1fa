"""The part of a plan's page that answers what any other spend would bring, in the browser.

All numbers that its script (`templates/what_if.js`) needs are made here; draws are little-endian
floats of 32 bits, as base64.
"""

import base64
import json
import math
from typing import Any

import numpy as np

from mmm_demo.planning.plan import INTERVALS, Plan, spread
from mmm_demo.planning.what_if import NODES, Start, WhatIf, last_profile
from mmm_demo.planning.window import Window, working_spend
from mmm_demo.reports.page import Live, Section
from mmm_demo.reports.plan_tables import spoken
from mmm_demo.settings.wording import DAY, MEDIA_SALES

SHARE_DIGITS = 6  # of a week's share of the money, in a plan file


def what_if_section(what_if: WhatIf, market: str) -> Section:
    """Return the part, which is hidden where no script runs.

    Parameters
    ----------
    what_if
        What answers.
    market
        Whose plan file is written.
    """
    weeks, few = what_if.window.weeks, what_if.media.worth.shape[2]
    asked = (
        "Move a channel's money, or press Keep as last period, and read what that brings and what "
        f"it costs beside the plan. All money is for the whole window of {weeks} weeks. It is "
        "spread over the weeks as in the plan; a channel that is kept repeats the last period week "
        "by week."
    )
    draws = (
        f"Expected sales are those of all {what_if.draws:,} draws of the model; how sure they are "
        f"is told by {few:,} of them, and at the plan itself by all."
        if few < what_if.draws
        else f"All {few:,} draws of the model answer."
    )
    data = what_if_data(what_if, market)
    return Section("What if?", [asked], live=Live("what_if", data, draws))


def what_if_data(what_if: WhatIf, market: str) -> dict[str, Any]:
    """Return what the script reads, as JSON can hold it; lists by channel and, inside, week."""
    media, window = what_if.media, what_if.window
    reach = media.reach - 1
    data = {
        "market": market,
        "weeks": window.weeks,
        "start": f"{window.start:{DAY}}",
        "channels": list(window.channels),
        "cost": [float(cost) for cost in window.cost],
        "forms": what_if.forms,
        "current": window.current.tolist(),
        "most": what_if.most.tolist(),
        "seen": _columns(np.array(window.seen)),
        "observed": _columns(window.observed),
        "nodes": NODES.tolist(),
        "draws": {
            "weights": _packed(media.rate_weights),
            "carried": _packed(media.carried[:, :reach]),
            "worth": _packed(media.worth),
            "bend": {name: _packed(of.T) for name, of in media.bend.items()},
        },
        "reach": media.reach,
        "last": {
            "profile": _columns(what_if.last_profile),
            "leftOut": what_if.kept_out.tolist(),
        },
        "working": _working(window),
        "starts": [_start(start) for start in what_if.starts],
        "interval": [INTERVALS["lower_94"], INTERVALS["upper_94"]],
        "words": {"sales": MEDIA_SALES},
    }
    json.dumps(data, allow_nan=False)  # a page of numbers that are not known answers nothing
    return data


def _working(window: Window) -> dict[str, Any]:
    """Return what tells where spend works beyond any week of the data, as the window does."""
    reach = len(window.weights) - 1
    before = np.zeros((reach, len(window.channels)))
    if len(window.before):
        before = window.before * window.cost
    carried = working_spend(np.vstack([before, 0 * window.last]), window.weights)
    replay = working_spend(np.vstack([before, window.last]), window.weights).max(axis=0)
    return {
        "weights": _columns(window.weights),
        "before": _columns(carried),
        "most": np.maximum(window.working[1], replay).tolist(),
    }


def _start(start: Start) -> dict[str, Any]:
    plan, scenario = start.plan, start.plan.scenario
    return {
        "name": spoken(scenario.name),
        "planned": plan.table["planned"].tolist(),
        "low": plan.region.low.tolist(),
        "high": [high if math.isfinite(high) else None for high in plan.region.high.tolist()],
        "profile": _columns(start.profile),
        "leftOut": start.left_out.tolist(),
        "margin": start.margin,
        "keepTotal": scenario.spends_all,
        "own": _own(plan, start.margin),
        "outside": plan.table["outside_observed"].tolist(),
        "file": _profile_text(start, plan),
    }


def _own(plan: Plan, margin: float | None) -> dict[str, Any]:
    """Return the plan's own figures, from all draws."""
    further = plan.total_budget - plan.current_budget
    told = {
        "sales": spread(plan.response),
        "gain": plan.uplift,
        "profit": None if margin is None else spread(margin * plan.gain - further),
        "roas": spread(plan.response / plan.total_budget) if plan.total_budget > 0 else None,
    }
    names = ("mean", "lower_94", "upper_94", "probability")
    figures = {
        key: None if one is None else [one[name] for name in names] for key, one in told.items()
    }
    by_channel = (plan.table["inside"] + plan.table["after"]).tolist()
    return figures | {"byChannel": by_channel}


def _profile_text(start: Start, plan: Plan) -> str:
    """Return how a plan file says the spread over the weeks, as YAML on one line."""
    even = np.isclose(start.profile, 1 / plan.weeks, rtol=0, atol=1e-12).all(axis=0)
    if even.all():
        return "even"
    if np.allclose(start.profile, last_profile(plan.window), rtol=0, atol=1e-12):
        return "historical"
    parts = [
        f"{quoted(name)}: [{', '.join(f'{share:.{SHARE_DIGITS}f}' for share in column)}]"
        for name, column, flat in zip(plan.window.channels, start.profile.T, even, strict=True)
        if not flat
    ]
    return "{" + ", ".join(parts) + "}"


def quoted(name: str) -> str:
    """Write a name as a double-quoted scalar of YAML, on one line whatever is in it."""
    # Of what JSON leaves as it is, YAML takes some for the end of a line and refuses others.
    plain = json.dumps(name, ensure_ascii=False)
    return "".join(
        f"\\u{ord(sign):04x}" if 0x7F <= ord(sign) <= 0x9F or sign in "\u2028\u2029\ufeff" else sign
        for sign in plain
    )


def _columns(array: np.ndarray) -> list[list[float]]:
    return array.T.tolist()


def _packed(draws: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(draws, "<f4").tobytes()).decode("ascii")
