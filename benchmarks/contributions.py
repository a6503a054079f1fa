"""How well weekly contributions are told apart, beside plain PyMC-Marketing.

    uv run python benchmarks/contributions.py [--seeds 5]

The world has 104 weeks and four channels, two of which are switched on and off while two follow the
year; each keeps 0 to 40 % of a week's effect and saturates by a Hill curve of slope 1 to 2. `plain`
is PyMC-Marketing as it comes, with its Hill saturation and default priors; the project's fits have
the demo's settings, once with its default curve and once with `saturation: hill`.

Per fit: SRMSE, the root mean squared error of a channel's weekly contributions (posterior means)
over their true mean, and the mean of it over the channels; of how many channels the true sum lies
inside its 94 % interval; whether the convergence gate passed.
"""

import argparse
import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
from fit_speed import as_judged, plain_mmm
from scratch import ROOT

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits.cores import usable_cores
from mmm_demo.fits.fitted import interval
from mmm_demo.fits.response import scaling_of
from mmm_demo.settings.experiment import with_forms
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.simulate import (
    CHANNELS,
    SimulatedMarket,
    adstock,
    assemble,
    budgeted,
    draw_parts,
    geometric_weights,
)

WEEKS, FIRST_SEED = 104, 501
STREAM = 200  # of random numbers, apart from the clean market's
DEMO = load_experiment(ROOT / "experiments" / "demo.yaml")
KINDS = ("plain, hill", "project", "project, hill")


def hill_world(seed: int) -> SimulatedMarket:
    """Simulate the world of a seed."""
    rng = np.random.default_rng([seed, STREAM])
    clean = draw_parts(seed, WEEKS)
    year = 2 * np.pi * clean.dates.day_of_year.to_numpy() / 365.25
    levels = {}
    for number, channel in enumerate(CHANNELS):
        if number < 2:
            runs = rng.integers(2, 7, WEEKS)
            level = np.repeat(rng.random(WEEKS) < 0.6, runs)[:WEEKS].astype(float)
        else:
            level = 1 + rng.uniform(0.3, 0.6) * np.cos(year - rng.uniform(0, 2 * np.pi))
        levels[channel] = level * rng.gamma(25.0, 1 / 25, WEEKS)
    spend = budgeted(pd.DataFrame(levels))
    parts = replace(clean, spend=spend, alpha=rng.uniform(0.0, 0.4, len(CHANNELS)))
    carried = adstock(spend / spend.max(), geometric_weights(parts.alpha))
    slope, half = rng.uniform(1.0, 2.0, 4), rng.uniform(0.5, 1.5, 4) * carried[:WEEKS].mean(axis=0)
    return assemble(parts, carried**slope / (carried**slope + half**slope))


def fitted(kind: str, world: SimulatedMarket, seed: int) -> tuple[np.ndarray, bool]:
    """Fit a world; return contributions (draw, week, channel) and whether the gate passed."""
    form = {"saturation": "hill"} if kind == "project, hill" else {}
    model = with_forms(replace(DEMO.model, scaling=scaling_of(DEMO.model, world.table)), **form)
    if kind == "plain, hill":
        mmm = plain_mmm(model, world.table, seed, cores=usable_cores(), saturation="hill")
        trace = as_judged(mmm)
        free = {name: values[0, 0].size for name, values in trace["posterior"].items()}
        checks = convergence_checks(trace, free, DEMO.gate, DEMO.sampler.chains)
        scaled = mmm.idata.posterior["channel_contribution"].stack(every=("chain", "draw"))
        draws = scaled.transpose("every", "date", "channel") * model.scaling.target
        return draws.to_numpy(), all(check.passed for check in checks)
    evidence = replace(DEMO.evidence, draws=DEMO.sampler.draws, tune=DEMO.sampler.tune)
    refit = Refitter(model, world.table, evidence).fit(world.table, seed)
    response = refit.fitted().response
    return response.contributions(world.table[list(CHANNELS)].to_numpy()), refit.converged


def srmse(draws: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the SRMSE of each channel."""
    return np.sqrt(((draws.mean(axis=0) - true) ** 2).mean(axis=0)) / true.mean(axis=0)


def main() -> None:
    """Fit every world in each way, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(FIRST_SEED, FIRST_SEED + parser.parse_args().seeds)
    means: dict[str, list[float]] = {kind: [] for kind in KINDS}
    inside, passed = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for seed in seeds:
        world = hill_world(seed)
        true = world.truth.contributions.to_numpy()
        for kind in KINDS:
            draws, good = fitted(kind, world, seed)
            errors = srmse(draws, true)
            means[kind].append(errors.mean())
            sums = draws.sum(axis=1)
            ends = interval(sums)
            held = (ends["lower_94"] <= true.sum(axis=0)) & (true.sum(axis=0) <= ends["upper_94"])
            inside[kind] += int(held.sum())
            passed[kind] += good
            told = ", ".join(f"{error:.2f}" for error in errors)
            print(f"{seed} {kind}: SRMSE {told}; {held.sum()} of 4 inside", flush=True)
    print(f"{'':14} {'mean SRMSE':>20} {'inside':>10} {'passed':>8}")
    for kind, values in means.items():
        spread = f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        total = f"{inside[kind]} of {4 * len(values)}"
        print(f"{kind:14} {spread:>20} {total:>10} {passed[kind]:>4} of {len(values)}")


if __name__ == "__main__":
    main()
