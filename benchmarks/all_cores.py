"""How much faster a fit samples on every core than on half of them, as PyMC takes by itself.

    uv run python benchmarks/all_cores.py --rounds 3

Fits the demo market in turns, with the process held to half of its processors and with all of them,
after one round that nobody counts, and checks that the draws are the same. Times are of the sampler
alone, without compilation.
"""

import argparse
import os
from statistics import median

import numpy as np
from scratch import ROOT

from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.sampler import Sampling, sample_posterior
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import load_market


def sample(cores: set[int]) -> Sampling:
    """Fit the demo market on some processors."""
    os.sched_setaffinity(0, cores)
    experiment = load_experiment(ROOT / "experiments" / "demo.yaml")
    table = load_market(experiment.data, experiment.model, ROOT).table
    sampler = experiment.sampler
    return sample_posterior(experiment.model, table, sampler, ladder(sampler.target_accept)[0])


def main() -> None:
    """Print seconds and ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    every = os.sched_getaffinity(0)
    half = set(sorted(every)[: max(1, len(every) // 2)])
    pairs = [(sample(half), sample(every)) for _ in range(rounds + 1)][1:]
    for one, other in pairs:
        for name, draws in one.trace["posterior"].data_vars.items():
            assert np.array_equal(draws, other.trace["posterior"][name]), f"{name} differs"
    slow, fast = ([of.seconds for of in side] for side in zip(*pairs, strict=True))
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    print(f"{len(half)} of {len(every)} cores: {median(slow):.1f} s, all: {median(fast):.1f} s")
    print(f"ratio, pair by pair: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; same draws")


if __name__ == "__main__":
    main()
