"""How far should a plan move money by default? Real gains by bound, in worlds with known truth.

    uv run python benchmarks/plan_bounds.py [--worlds 60] [--first-seed 7001] [--out bounds.jsonl]
    uv run python benchmarks/plan_bounds.py --summarise bounds.jsonl

The worlds are those of `decision_regret.py`, but half of them have a true form that the model has
not: Hill curves of slope 1.5 in every fourth, a demand that drifts over months in every fourth.
Each is fitted with the demo's model, with and without lift tests, and planned for the next 13 weeks
with the last 13 weeks' money at each `default_bounds`.

Regret is what the best plan within the seen range brings less what the plan brings, per unit of
budget. A plan is *worse* when it really brings less than the last period's totals, spread as
evenly; what it gains against them is what moving the money brings. Where the last period is far
from the best plan nearly any move helps, so the third of worlds nearest to it is told apart. Means
have percentile intervals of 10,000 bootstrap resamples of worlds (fixed seed), shares exact
(Clopper-Pearson) ones. Worlds that are in the file already are not made again.
"""

import argparse
import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from decision_worlds import WINDOW, World, draw_world, odd_world
from scipy.optimize import LinearConstraint, minimize
from scipy.stats import binomtest

from mmm_demo.sources.simulate import CHANNELS

PROJECT = Path(__file__).parents[1]
BOUNDS = (0.1, 0.2, 0.3, 0.5, "seen")
FORMS = ("", "hill", "", "drift")  # of the true form, world by world; empty is the model's own
ARMS = ("with lift tests", "without lift tests")
STARTS, RESAMPLES = 8, 10_000


def main() -> None:
    """Plan in every world, or sum up what was planned."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=7001)
    parser.add_argument("--out", type=Path, default=Path("plan_bounds.jsonl"))
    parser.add_argument("--summarise", type=Path)
    asked = parser.parse_args()
    if asked.summarise:
        _summarise(_read(asked.summarise))
        return
    known = {row["seed"] for row in _read(asked.out)} if asked.out.exists() else set()
    for number in range(asked.worlds):
        seed = asked.first_seed + number
        if seed in known:
            continue
        row = planned_world(seed, FORMS[number % len(FORMS)])
        with asked.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        told = ", ".join(
            f"{arm}: {[round(item['moved'], 3) for item in row['arms'][arm]]}" for arm in ARMS
        )
        print(f"world {seed} {row['form'] or 'own form'}: moving gains {told}", flush=True)
    _summarise(_read(asked.out))


def _read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def planned_world(seed: int, form: str) -> dict[str, Any]:
    """Return what the plans of a world claim and really bring, per unit of budget."""
    logging.getLogger("pymc").setLevel(logging.ERROR)
    world = odd_world(seed, form) if form else draw_world(seed)
    budget = float(world.recent.sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arms = {
            arm: _plans(world, seed, world.lift_tests if arm == ARMS[0] else None, budget)
            for arm in ARMS
        }
    left = float(world.realised(world.recent).sum()) / budget
    return {"seed": seed, "form": form, "best": _best(world) / budget, "left": left, "arms": arms}


def _plans(world: World, seed: int, lift_tests: Any, budget: float) -> list[dict[str, float]]:
    """Return the plan of each bound; a fit that is refused leaves everything as it is."""
    from mmm_demo.evidence.refit import Refitter
    from mmm_demo.fits.response import scaling_of
    from mmm_demo.planning.optimize import optimize_budget
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.settings.scenario import BudgetConfig

    demo = load_experiment(PROJECT / "experiments" / "demo.yaml")
    model = replace(demo.model, scaling=scaling_of(demo.model, world.table))
    sampling = replace(demo.evidence, draws=demo.sampler.draws, tune=demo.sampler.tune)
    fit = Refitter(model, world.table, sampling).fit(world.table, seed, lift_tests)
    left = float(world.realised(world.recent).sum())
    rows = []
    for bound in BOUNDS:
        totals, claimed = world.recent, 0.0
        if fit.converged:
            plan = optimize_budget(fit.fitted(), BudgetConfig(weeks=WINDOW, default_bounds=bound))
            totals = plan.table.set_index("channel")["planned"].loc[list(CHANNELS)].to_numpy()
            claimed = plan.uplift["mean"] - plan.timing
        real = float(world.realised(totals).sum())
        rows.append(
            {
                "response": real / budget,
                "moved": (real - left) / budget,
                "claimed": claimed / budget,
                "refused": float(not fit.converged),
            }
        )
    return rows


def _best(world: World) -> float:
    """Return what the best of several searches within the seen range really brings."""
    budget, rng = world.recent.sum(), np.random.default_rng(0)
    limits = world.bounds / budget
    starts = [world.recent / budget, *rng.dirichlet(np.ones(len(CHANNELS)), STARTS)]
    found = []
    for start in starts:
        solved = minimize(
            lambda share: -float(world.realised(share * budget).sum()) / budget,
            np.clip(start, *limits.T),
            method="SLSQP",
            bounds=limits,
            constraints=LinearConstraint(np.ones((1, len(CHANNELS))), 1.0, 1.0),
        )
        if solved.success:
            found.append(-solved.fun * budget)
    return max(found)


def _summarise(rows: list[dict]) -> None:
    print(f"\n{len(rows)} worlds from seed {rows[0]['seed']} on; all per unit of budget")
    groups = {"all worlds": rows} | {
        name: [row for row in rows if row["form"] == form]
        for name, form in (("the model's own form", ""), ("Hill", "hill"), ("drift", "drift"))
    }
    nearest = sorted(rows, key=lambda row: row["best"] - row["left"])[: len(rows) // 3]
    groups["the third whose last period was nearest to the best plan"] = nearest
    for arm in ARMS:
        for name, worlds in groups.items():
            if worlds:
                _print_arm(f"{arm}, {name} ({len(worlds)})", arm, worlds)


def _print_arm(title: str, arm: str, worlds: list[dict]) -> None:
    refused = sum(bool(row["arms"][arm][0]["refused"]) for row in worlds)
    print(f"\n{title}{f', {refused} refused' if refused else ''}")
    print("bound   regret (95 %)                real gain of moving (claimed)   worse than before")
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(worlds), size=(RESAMPLES, len(worlds)))
    for place, bound in enumerate(BOUNDS):
        of = [row["arms"][arm][place] for row in worlds]
        regret = np.array([row["best"] for row in worlds]) - [item["response"] for item in of]
        low, high = np.quantile(regret[chosen].mean(axis=1), [0.025, 0.975])
        moved, claimed = (np.mean([item[key] for item in of]) for key in ("moved", "claimed"))
        worse = sum(item["moved"] < 0 for item in of)
        exact = binomtest(worse, len(of)).proportion_ci(method="exact")
        said = bound if bound == "seen" else f"{bound:.0%}"
        print(
            f"{said:>5}   {regret.mean():.4f} ({low:.4f} to {high:.4f})   {moved:+.4f} "
            f"({claimed:+.4f})   {worse} of {len(of)} ({exact.low:.0%} to {exact.high:.0%})"
        )


if __name__ == "__main__":
    main()
