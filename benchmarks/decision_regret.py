"""What is a plan worth? Regret of budget plans in simulated worlds whose truth is known.

    uv run python benchmarks/decision_regret.py [--worlds 60] [--first-seed 1001]
                                                [--out regret.jsonl] [--resume]
    uv run python benchmarks/decision_regret.py --summarise regret.jsonl [more.jsonl ...]

A world is the demo market of a new seed in which the spend of Search, of Social or of both follows
the same week's demand, noise included, with a strength drawn for each world: weaker than the fault
`reverse_causality`, but no model here is told. Lift tests are there for these two channels: one
switches the channel off at its median spend, one raises it from its lower quartile to its 90 %
quantile, each with a standard error of 15 % of the true lift.

The budget is the spend of the last 13 weeks, for the 13 weeks that follow. A plan is a total per
channel, spread evenly over the weeks. What it really brings follows from the market itself: media
sales of the last 8 weeks, the plan and 8 weeks of carryover, less the same without the plan. Regret
is what the best plan brings (all splits of the budget, none negative) less what the arm's plan
brings, per unit of budget.

| arm | plan |
|---|---|
| status quo | what the last 13 weeks had, spread evenly |
| equal split | a quarter of the budget for each channel |
| with lift tests | the demo's model and sampler, with the lift tests; plan within observed bounds |
| without lift tests | the same model and sampler without them |
| ... (any split) | the same two posteriors with bounds [0, budget], which plain has too |
| plain | PyMC-Marketing as it comes: default priors, sampler, optimizer; bounds [0, budget] |
| plain in bounds | the same posterior and optimizer within the observed bounds |
| best in bounds | the true optimum within the observed bounds: what the bounds alone cost |

What is fair: all arms of a world have the same table, controls, seasonality, longest lag, budget
and truth; all get their model's true form (geometric adstock, logistic saturation, normal noise).
Plain gets four chains, where the library would take two on two cores. Where an arm has no plan (our
convergence checks refuse the fit twice, plain's optimizer raises) it leaves the budget as it is and
is counted; plain has no gate, so its fit is used as it is, and counted where ours would refuse it.
Observed bounds are the planner's `default_bounds: seen`: totals that keep working (adstocked) spend
where the data have seen it. Our arms take them by their posterior, the other bounded ones by truth.

What is not: only our arms see lift tests, though the library can take them; like for like is
`without lift tests (any split)` against plain. Both models have the true form, at any spend, so a
plan far outside what was ever spent costs nothing here for being out there; bounds only cost. The
shares of sales (3 to 14 % a channel) are nearer to our priors than to the library's. Our gate's
checks of what a converged fit says are left out, as is the evidence.

Paired differences are means over worlds, with percentile intervals of 10,000 bootstrap resamples of
worlds (fixed seed). Intervals of shares are exact (Clopper-Pearson) ones. A claimed gain is what
the arm itself says: ours over the last period replayed week by week, plain's over the status quo;
the real one is over the same. Its 90 % interval goes from the 5 % to the 95 % quantile of draws.

Limits and priors were chosen with worlds of seeds below 1001 in sight; this script was written, and
the default bounds were chosen, with those from 5001 on: bounds at the lowest and highest 13-week
total, the first choice, cost 0.36 of regret by themselves there.
"""

import argparse
import io
import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from decision_worlds import EXACT, WINDOW, World, best_plan, draw_world
from scipy.stats import binomtest

from mmm_demo.sources.simulate import CARRYOVER_WEEKS, CHANNELS, CONTROLS

PROJECT = Path(__file__).parents[1]
CHAINS = 4
RESAMPLES = 10_000
STATUS_QUO, EQUAL, BEST_BOUNDED = "status quo", "equal split", "best in bounds"
OURS, OURS_WITHOUT, ANY = "with lift tests", "without lift tests", " (any split)"
PLAIN, PLAIN_BOUNDED = "plain", "plain in bounds"
MODELS = (OURS, OURS_WITHOUT, OURS + ANY, OURS_WITHOUT + ANY, PLAIN, PLAIN_BOUNDED)
PAIRS = (
    *((name, PLAIN) for name in (OURS, OURS_WITHOUT, OURS + ANY, OURS_WITHOUT + ANY)),
    (OURS_WITHOUT, PLAIN_BOUNDED),
    (PLAIN_BOUNDED, PLAIN),
    (OURS, OURS_WITHOUT),
    (OURS + ANY, OURS_WITHOUT + ANY),
    *((name, STATUS_QUO) for name in MODELS),
    *((name, EQUAL) for name in (OURS, OURS_WITHOUT, PLAIN)),
)


@dataclass(frozen=True)
class Arm:
    """One plan and what it claims.

    Attributes
    ----------
    totals
        Money in the window; shape (channel,).
    gain
        Claimed gain, shape (sample,); None where nothing is claimed.
    over
        What that gain is claimed over really brings.
    note
        Why there is no plan; empty where there is one.
    unconverged
        Convergence checks that the fit behind it fails.
    """

    totals: np.ndarray
    gain: np.ndarray | None = None
    over: float = math.nan
    note: str = ""
    unconverged: tuple[str, ...] = ()


def main() -> None:
    """Run the benchmark, or sum up what runs of it wrote."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=1001)
    parser.add_argument("--out", type=Path, help="append one JSON line per world")
    parser.add_argument("--resume", action="store_true", help="skip worlds that are in --out")
    parser.add_argument("--summarise", type=Path, nargs="+", help="run nothing, read these")
    asked = parser.parse_args()
    if asked.resume and not asked.out:
        parser.error("--resume needs --out, the file to go on with")
    rows = _read(asked.summarise) if asked.summarise else list(_run(asked))
    _summarise(rows)


def _read(files: list[Path]) -> list[dict]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _run(asked: argparse.Namespace) -> Iterator[dict]:
    done = {}
    if asked.resume and asked.out.exists():
        done = {row["seed"]: row for row in _read([asked.out])}
    for seed in range(asked.first_seed, asked.first_seed + asked.worlds):
        row = done.get(seed)
        if row is None:
            row = run_world(seed)
            if asked.out:
                with asked.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        print(_line(row), flush=True)
        yield row


def run_world(seed: int) -> dict[str, Any]:
    """Return the plans of all arms in one world, and what they claim and bring."""
    logging.getLogger("pymc").setLevel(logging.ERROR)
    world, seconds = draw_world(seed), {}
    recent = world.recent
    arms = {
        STATUS_QUO: Arm(recent),
        EQUAL: Arm(np.full(len(CHANNELS), recent.sum() / len(CHANNELS))),
        BEST_BOUNDED: Arm(best_plan(world, world.bounds)),
    }

    def timed(name: str, make: Callable[[], dict[str, Arm]]) -> None:
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arms.update(make())
        seconds[name] = round(time.monotonic() - started, 1)

    timed(OURS, lambda: _ours(world, seed, OURS, world.lift_tests))
    timed(OURS_WITHOUT, lambda: _ours(world, seed, OURS_WITHOUT, None))
    timed(PLAIN, lambda: _plain(world, seed))
    best = best_plan(world, np.array([[0.0, recent.sum()]] * len(CHANNELS)))
    response = float(world.realised(best).sum())
    told = {name: _told(world, arm) for name, arm in arms.items()}
    if ahead := [name for name, arm in told.items() if arm["response"] > response * (1 + EXACT)]:
        raise RuntimeError(f"world {seed}: {', '.join(ahead)} beat the best plan")
    return {
        "seed": seed,
        "reacting": world.reacting,
        "strength": world.strength,
        "budget": float(recent.sum()),
        "best": {"totals": best.tolist(), "response": response},
        "arms": told,
        "seconds": seconds,
    }


def _ours(world: World, seed: int, name: str, lift_tests: pd.DataFrame | None) -> dict[str, Arm]:
    """Fit the demo's model as the project does, and plan; without convergence there is no plan."""
    from mmm_demo.evidence.refit import Refitter
    from mmm_demo.fits.response import scaling_of
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.tables.lift import validate_lift_tests

    experiment = load_experiment(PROJECT / "experiments" / "demo.yaml")
    model = replace(experiment.model, scaling=scaling_of(experiment.model, world.table))
    sampler = experiment.sampler
    sampling = replace(experiment.evidence, draws=sampler.draws, tune=sampler.tune)
    if lift_tests is not None:
        lift_tests, _ = validate_lift_tests(lift_tests, model, world.table, "lift tests")
    fit = Refitter(model, world.table, sampling).fit(world.table, seed, lift_tests)
    if not fit.converged:
        failed = tuple(check.name for check in fit.convergence.failures)
        refused = Arm(world.recent, note="refused by the gate", unconverged=failed)
        return {name: refused, name + ANY: refused}
    fitted, budget = fit.fitted(), float(world.recent.sum())
    anything = dict.fromkeys(CHANNELS, (0.0, budget))
    return {
        name: _our_plan(world, fitted, {}),
        name + ANY: _our_plan(world, fitted, anything),
    }


def _our_plan(world: World, fitted: Any, bounds: dict[str, tuple[float, float]]) -> Arm:
    """Plan within bounds, the project's own where none are given."""
    from mmm_demo.planning.optimize import BudgetError, optimize_budget
    from mmm_demo.settings.experiment import BudgetConfig

    try:
        plan = optimize_budget(
            fitted, BudgetConfig(weeks=WINDOW, bounds=bounds, default_bounds="seen")
        )
    except BudgetError as error:
        return Arm(world.recent, note=f"no plan: {error}")
    totals = plan.table.set_index("channel")["planned"].loc[list(CHANNELS)]
    return Arm(totals.to_numpy(), plan.gain, world.replayed)


def _plain(world: World, seed: int) -> dict[str, Arm]:
    """Fit and plan with PyMC-Marketing as it comes, and once more within our bounds."""
    import xarray as xr
    from pymc_marketing.mmm import MMM, GeometricAdstock, LogisticSaturation

    table, channels = world.table, list(CHANNELS)
    mmm = MMM(
        date_column="Week",
        target_column="Sales",
        channel_columns=channels,
        control_columns=list(CONTROLS),
        adstock=GeometricAdstock(l_max=CARRYOVER_WEEKS),
        saturation=LogisticSaturation(),
        yearly_seasonality=2,
    )
    features = table[["Week", *channels, *CONTROLS]]
    with redirect_stdout(io.StringIO()):  # of the library's bars, one cannot be switched off
        mmm.fit(features, table["Sales"], chains=CHAINS, random_seed=seed, progressbar=False)
    unconverged = _unconverged(mmm.idata)
    start = table["Week"].iloc[-1] + pd.Timedelta(weeks=1)
    optimizer = mmm.budget_optimizer(start, start + pd.Timedelta(weeks=WINDOW - 1))
    bounds = xr.DataArray(
        world.bounds / WINDOW,
        dims=("channel", "bound"),
        coords={"channel": channels, "bound": ["lower", "upper"]},
    )
    return {
        PLAIN: _plain_plan(world, optimizer, None, unconverged),
        PLAIN_BOUNDED: _plain_plan(world, optimizer, bounds, unconverged),
    }


def _plain_plan(world: World, optimizer: Any, bounds: Any, unconverged: tuple[str, ...]) -> Arm:
    """Plan with the library's optimizer, which counts money by week, where we do by window."""
    import xarray as xr
    from pymc_marketing.mmm.budget_optimizer import MinimizeException

    channels = list(CHANNELS)
    recent = xr.DataArray(world.recent / WINDOW, dims="channel", coords={"channel": channels})
    try:
        solved = optimizer.allocate_budget(float(recent.sum()), bounds)
    except MinimizeException as error:
        return Arm(world.recent, note=f"the optimizer failed: {error}", unconverged=unconverged)
    # What earlier spend still earns is in both, and cancels out.
    gain = optimizer.evaluate_response_distribution(solved.budgets)
    gain = gain.to_numpy() - optimizer.evaluate_response_distribution(recent).to_numpy()
    totals = solved.budgets.sel(channel=channels).to_numpy() * WINDOW
    over = float(world.realised(world.recent).sum())
    return Arm(totals, gain, over, unconverged=unconverged)


def _unconverged(idata: Any) -> tuple[str, ...]:
    """Name the convergence checks of our gate that a fit fails."""
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.settings.experiment import free_parameters
    from mmm_demo.settings.experiment_file import load_experiment

    experiment = load_experiment(PROJECT / "experiments" / "demo.yaml")
    parameters = free_parameters(experiment.model)
    checks = convergence_checks(idata, parameters, experiment.gate, CHAINS)
    return tuple(check.name for check in checks if not check.passed)


def _told(world: World, arm: Arm) -> dict[str, Any]:
    """Return an arm's plan, what it brings, and what it claims to gain."""
    response = float(world.realised(arm.totals).sum())
    if not np.isclose(arm.totals.sum(), world.recent.sum(), rtol=1e-6):
        raise RuntimeError(f"a plan spends {arm.totals.sum():,.2f} of {world.recent.sum():,.2f}")
    told = {
        "totals": arm.totals.tolist(),
        "response": response,
        "note": arm.note,
        "unconverged": arm.unconverged,
    }
    if arm.gain is not None:
        low, high = np.quantile(arm.gain, [0.05, 0.95])
        told |= {"claimed": float(arm.gain.mean()), "low_90": float(low), "high_90": float(high)}
        told["real"] = response - arm.over
    return told


def _regret(row: dict, arm: str) -> float:
    """Return sales lost per unit of budget against the best plan."""
    return (row["best"]["response"] - row["arms"][arm]["response"]) / row["budget"]


def _line(row: dict) -> str:
    regrets = ", ".join(f"{name} {_regret(row, name):.3f}" for name in row["arms"])
    notes = "".join(f"; {name}: {arm['note']}" for name, arm in row["arms"].items() if arm["note"])
    return f"world {row['seed']}: regret {regrets}{notes} ({sum(row['seconds'].values()):.0f} s)"


def _summarise(rows: list[dict]) -> None:
    if not rows:
        print("no world, nothing to sum up")
        return
    print(f"\n{len(rows)} worlds, seeds {rows[0]['seed']} to {rows[-1]['seed']}")
    _print_regrets(rows)
    print("\npaired differences of regret, sales per unit of budget, mean with 95 % interval")
    for one, other in PAIRS:
        _print_paired(rows, one, other)
    planned = [row for row in rows if not row["arms"][PLAIN]["note"]]
    print(f"\nthe same over the {len(planned)} worlds in which plain's optimizer did not fail")
    for one, other in PAIRS:
        if PLAIN in (one, other):
            _print_paired(planned, one, other)
    print("\ngain over the last period, claimed and real")
    for name in MODELS:
        _print_claims(rows, name)
    print()
    for name in MODELS:
        notes = [row["seed"] for row in rows if row["arms"][name]["note"]]
        failed = [row["seed"] for row in rows if row["arms"][name]["unconverged"]]
        print(
            f"{name}: status quo for want of a plan in {len(notes)} worlds {notes or ''}; "
            f"convergence checks fail in {len(failed)} {failed or ''}"
        )
    seconds = sum(sum(row["seconds"].values()) for row in rows) / len(rows)
    print(f"seconds per world: {seconds:.0f}")


def _print_regrets(rows: list[dict]) -> None:
    budgets = np.array([row["budget"] for row in rows])
    best = np.array([row["best"]["response"] for row in rows])
    print(f"the best plan brings {np.mean(best / budgets):.3f} per unit of budget\n")
    print("regret per unit of budget            mean   median   worst   of the best response, mean")
    for name in rows[0]["arms"]:
        regret = np.array([_regret(row, name) for row in rows])
        print(
            f"  {name:<32} {regret.mean():>7.4f} {np.median(regret):>8.4f} {regret.max():>7.4f}"
            f"   {np.mean(regret * budgets / best):.2%}"
        )


def _print_paired(rows: list[dict], one: str, other: str) -> None:
    difference = np.array([_regret(row, one) - _regret(row, other) for row in rows])
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(difference), size=(RESAMPLES, len(difference)))
    low, high = np.quantile(difference[chosen].mean(axis=1), [0.025, 0.975])
    verdict = "lower" if high < 0 else "higher" if low > 0 else "not told apart"
    print(
        f"  {f'{one} - {other}':<62} {difference.mean():+.4f} ({low:+.4f} to {high:+.4f}), "
        f"{verdict}; lower in {int((difference < 0).sum())} of {len(rows)} worlds"
    )


def _print_claims(rows: list[dict], name: str) -> None:
    claims = [row for row in rows if "claimed" in row["arms"][name]]
    if not claims:
        print(f"  {name}: no plan, no claim")
        return
    real = np.array([row["arms"][name]["real"] for row in claims])
    told = np.array([[row["arms"][name][key] for key in _CLAIM] for row in claims])
    budgets = np.array([row["budget"] for row in claims])
    inside = int(((told[:, 1] <= real) & (real <= told[:, 2])).sum())
    exact = binomtest(inside, len(claims)).proportion_ci(method="exact")
    print(
        f"  {name}: 90 % intervals that hold: {inside} of {len(claims)} = "
        f"{inside / len(claims):.0%} (exact 95 % interval {exact.low:.0%} to {exact.high:.0%}), "
        f"{int((real < told[:, 1]).sum())} claim too much, {int((real > told[:, 2]).sum())} too "
        f"little; mean gain per unit of budget claimed {np.mean(told[:, 0] / budgets):+.4f}, "
        f"real {np.mean(real / budgets):+.4f}; real gain below zero in {int((real < 0).sum())}"
    )


_CLAIM = ("claimed", "low_90", "high_90")


if __name__ == "__main__":
    main()
