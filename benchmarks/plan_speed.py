"""How long a plan takes: 5 channels x 13 weeks, all posterior draws, beside PyMC-Marketing's own.

    uv run python benchmarks/plan_speed.py [--scenarios 100] [--weekly 10] [--library 6]
                                           [--trace FILE]
    uv run python benchmarks/plan_speed.py --first-plan

The model is the demo's with a fifth channel, fitted to the demo market with that channel: 4 chains
x 2000 draws (about a minute; `--trace` keeps the draws in a file, or takes them from there). A
random scenario has 0.5 to 3 times the money of the last 13 weeks and bounds around a random split
of it, so some plan keeps them; every seed is fixed. Ours is all of `Planner.plan`: limits, search,
certificate over all draws, table, uplift, ranking of pairs, smallest move. Gap is the most by which
another plan could be better; thinning error that of the expected response over the draws that were
searched. The library solves the same scenarios (most expected response) over the same draws with a
compiled objective, both in turn; its time is `allocate_budget` alone. Goals are held to wall time;
CPU time is told beside it, as the machine may be busy.

`--first-plan` times `mmm-demo optimize` from the start of the process, with a champion in a scratch
project and caches warm; it makes a whole main job first.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

# As `mmm-demo` does: on small matrices BLAS threads only cost time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

PROJECT = Path(__file__).parents[1]
WEEKS = 13
GOALS = {"totals median": 0.1, "totals worst": 1.0, "weekly worst": 3.0, "first plan": 8.0}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--weekly", type=int, default=10)
    parser.add_argument("--library", type=int, default=6)
    parser.add_argument("--trace", type=Path, help="draws of an earlier run, or where to keep them")
    parser.add_argument("--first-plan", action="store_true", help="only that; takes minutes")
    asked = parser.parse_args()
    if asked.first_plan:
        _first_plan()
        return
    from mmm_demo.planning.optimize import Planner
    from mmm_demo.planning.window import window_of

    fitted = _fitted(asked.trace)
    window = window_of(fitted, WEEKS, None, {})
    planner = Planner(fitted, window)
    draws = len(fitted.response.noise)
    print(f"{len(window.channels)} channels x {WEEKS} weeks, {draws} draws", flush=True)
    _totals(planner, asked.scenarios)
    _objectives(planner)
    _weekly(planner, asked.weekly)
    _frontier(planner)
    _library(planner, asked.library)


def _five_channels() -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the demo market with a fifth channel that works as the others do."""
    from mmm_demo.sources.simulate import CHANNELS, MEAN_SALES, geometric_weights, simulate_market

    table = simulate_market(seed=1).table
    rng = np.random.default_rng(5)
    spend = rng.gamma(2.0, 25_000.0, len(table)).round(2)
    carried = np.convolve(spend / spend.max(), geometric_weights(np.array([0.4]))[:, 0])
    effect = np.tanh(carried[: len(table)])
    table["Sales"] += (0.08 * MEAN_SALES * effect / effect.mean()).round(2)
    table.insert(6, "Video", spend)
    return table, (*CHANNELS, "Video")


def _fitted(kept: Path | None):
    """Return the five-channel model with its draws, fitted now or read from a file."""
    from mmm_demo.fits.fitted import FittedModel
    from mmm_demo.fits.response import scaling_of
    from mmm_demo.fits.trace import load_trace, save_trace
    from mmm_demo.settings.experiment import SamplerConfig
    from mmm_demo.settings.experiment_file import load_experiment

    table, channels = _five_channels()
    config = load_experiment(PROJECT / "experiments" / "demo.yaml").model
    config = replace(config, channel_columns=channels)
    config = replace(config, scaling=scaling_of(config, table))
    if kept is not None and kept.exists():
        return FittedModel(config, load_trace(kept))
    from mmm_demo.fits.ladder import ladder
    from mmm_demo.fits.sampler import sample_posterior

    sampler = SamplerConfig()
    attempt = ladder(sampler.target_accept)[0]
    trace = sample_posterior(config, table, sampler, attempt).trace
    _require_convergence(config, trace, sampler.chains)
    with tempfile.TemporaryDirectory() as folder:
        file = kept or Path(folder) / "trace.nc"
        save_trace(trace, file)  # as a champion is stored, in single precision
        return FittedModel(config, load_trace(file))


def _require_convergence(config, trace, chains: int) -> None:
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.checks.gate import GateReport
    from mmm_demo.settings.experiment import free_parameters
    from mmm_demo.settings.limits import GateConfig

    checks = convergence_checks(trace, free_parameters(config), GateConfig(), chains)
    if failed := GateReport(checks).failures:
        sys.exit(f"the fit did not converge: {', '.join(check.name for check in failed)}")


def _scenarios(window, number: int, **settings) -> Iterator:
    """Yield random scenarios that some plan keeps."""
    from mmm_demo.settings.scenario import Scenario

    rng = np.random.default_rng(2026)
    for place in range(number):
        budget = float(rng.uniform(0.5, 3.0) * window.current.sum())
        split = budget * rng.dirichlet(np.full(len(window.channels), 2.0))
        low, high = (
            split * rng.uniform(0.0, 0.9, len(split)),
            split * rng.uniform(1.1, 3.0, len(split)),
        )
        bounds = {
            name: (float(least), float(most))
            for name, least, most in zip(window.channels, low, high, strict=True)
        }
        yield Scenario(f"random_{place}", total_budget=budget, bounds=bounds, **settings)


@dataclass(frozen=True)
class Took:
    """Wall and CPU seconds."""

    wall: float
    cpu: float


def _timed[T](job: Callable[[], T]) -> tuple[Took, T]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = job()
    return Took(time.perf_counter() - wall, time.process_time() - cpu), done


def _totals(planner, number: int) -> None:
    scenarios = list(_scenarios(planner.window, number))
    first, _ = _timed(lambda: planner.plan(scenarios[0]))
    print(f"channel totals, first scenario of a planner: {first.wall * 1000:.0f} ms")
    seconds, plans = _solve(planner, scenarios)
    _say("channel totals", seconds)
    _quality(plans)
    walls = [took.wall for took in seconds]
    _goal("totals median", float(np.median(walls)))
    _goal("totals worst", max(walls))


def _objectives(planner) -> None:
    """Time the other objectives, whose budget is a maximum in all but `cvar`."""
    window = planner.window
    settings = {
        "cvar": {},
        "profit": {"margin": 0.5},
        "target_mroas": {"target": 2.0},
        "target_roas": {"target": 1.5},
    }
    for objective, setting in settings.items():
        seconds, plans = _solve(planner, _scenarios(window, 10, objective=objective, **setting))
        _say(f"channel totals, {objective}", seconds)
        _quality(plans)
    base = list(_scenarios(window, 10))
    targets = [0.9 * float(planner.plan(scenario).response.mean()) for scenario in base]
    asked = [
        replace(scenario, objective="target_response", target=target)
        for scenario, target in zip(base, targets, strict=True)
    ]
    seconds, plans = _solve(planner, asked)
    _say("channel totals, target_response", seconds)
    _quality(plans)


def _weekly(planner, number: int) -> None:
    seconds, plans = [], []
    for smoothness in (None, 0.2):
        scenarios = _scenarios(
            planner.window, number // 2, profile="optimised", smoothness=smoothness
        )
        taken, made = _solve(planner, scenarios)
        _say(f"week by week, smoothness {smoothness or 'free'}", taken)
        seconds, plans = seconds + taken, plans + made
    _quality(plans)
    if seconds:
        _goal("weekly worst", max(took.wall for took in seconds))


def _solve(planner, scenarios) -> tuple[list[Took], list]:
    """Plan scenarios; one that is refused is named and left out."""
    from mmm_demo.planning.window import BudgetError

    seconds, plans = [], []
    for scenario in scenarios:
        try:
            taken, plan = _timed(lambda scenario=scenario: planner.plan(scenario))
        except BudgetError as refusal:
            print(f"  refused: {scenario.objective} {scenario.name}: {refusal}")
            continue
        seconds.append(taken)
        plans.append(plan)
    return seconds, plans


def _frontier(planner) -> None:
    from mmm_demo.planning.curves import budget_frontier
    from mmm_demo.settings.scenario import Scenario

    scenario = Scenario("frontier", relative_bounds={"*": (0.3, 3.0)})
    seconds, points = _timed(lambda: budget_frontier(planner, scenario))
    print(f"frontier of {len(points)} budgets: {seconds.wall:.2f} s ({seconds.cpu:.2f} CPU s)")


def _library(planner, number: int) -> None:
    """Solve some of the scenarios both ways in turn."""
    from mmm_demo.planning.feasible import region_of
    from mmm_demo.planning.library import LibraryPlanner

    library = LibraryPlanner(planner.fitted, planner.window, compiled=True)
    built, _ = _timed(lambda: library.optimizer)
    print(f"PyMC-Marketing: construct {built.wall:.1f} s")
    rows = []
    for scenario in _scenarios(planner.window, number):
        region = region_of(scenario, planner.window)
        theirs, totals = _timed(lambda region=region: library.plan(region))
        ours, plan = _timed(lambda scenario=scenario: planner.plan(scenario))
        expected = float(library.response(totals).mean())
        kept = abs(totals.sum() / region.budget - 1) < 1e-6
        rows.append(
            (theirs.wall, ours.wall, theirs.cpu / ours.cpu, plan.response.mean() / expected - 1)
        )
        print(
            f"  {scenario.name}: theirs {theirs.wall:.2f} s, ours {ours.wall:.3f} s, "
            f"our objective {rows[-1][3]:+.4%}{'' if kept else ', their budget is not kept'}",
            flush=True,
        )
    warm = rows[1:]  # the first call compiles
    if not warm:
        return
    theirs, ours, cpu, difference = (np.array(column) for column in zip(*warm, strict=True))
    print(f"PyMC-Marketing: first call {rows[0][0]:.1f} s")
    print(
        f"warm: theirs median {np.median(theirs):.2f} s, worst {theirs.max():.2f} s; ours median "
        f"{np.median(ours):.3f} s; ratio of medians {np.median(theirs) / np.median(ours):.1f}, "
        f"paired {(theirs / ours).min():.1f} to {(theirs / ours).max():.1f}, median in CPU time "
        f"{np.median(cpu):.1f}; our objective {difference.min():+.4%} to {difference.max():+.4%}"
    )


def _say(name: str, seconds: list[Took]) -> None:
    if not seconds:
        print(f"{name}: nothing was planned")
        return
    told = []
    for clock in ("wall", "cpu"):
        times = [getattr(took, clock) for took in seconds]
        median, most, worst = np.quantile(times, [0.5, 0.95, 1.0]) * 1000
        told.append(f"median {median:.0f} ms, 95 % {most:.0f} ms, worst {worst:.0f} ms")
    print(
        f"{name}: {told[0]}; CPU {told[1]} ({len(seconds)} scenarios)",
        flush=True,
    )


def _quality(plans: list) -> None:
    if not plans:
        return
    gaps, errors = ([getattr(plan, name) for plan in plans] for name in ("gap", "thinning"))
    print(
        f"  gap median {np.median(gaps):.1e}, worst {max(gaps):.1e}; "
        f"thinning error {min(errors):+.2%} to {max(errors):+.2%}"
    )


def _goal(name: str, seconds: float) -> None:
    met = seconds <= GOALS[name]
    print(f"  goal {name} <= {GOALS[name]:g} s: {seconds:.3f} s, {'met' if met else 'MISSED'}")


def _first_plan() -> None:
    """Time the command from its start, three times, after a main job."""
    from scratch import measure, scratch_project

    path = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}
    with scratch_project() as folder:
        measure(
            [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local"], folder, **path
        )
        command = [sys.executable, "-m", "mmm_demo.cli", "optimize", "--market", "demo"]
        walls = [measure(command, folder, **path).wall for _ in range(3)]
    print("champion to first plan:", ", ".join(f"{wall:.1f} s" for wall in walls))
    _goal("first plan", float(np.median(walls)))


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
