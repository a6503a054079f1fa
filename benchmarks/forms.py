"""What each form costs on the demo market, beside the default model.

    uv run python benchmarks/forms.py --seeds 3

Every form of the registry in place of the default, and holidays of one country. Per form: time of
one gradient, time in the sampler over all attempts until the convergence gate passes, and how many
of the seeds passed; times are ratios to the default model's of the same seed, fitted in turn.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.sampler import draw
from mmm_demo.forms.registry import FORMS, default
from mmm_demo.settings.events import Holidays
from mmm_demo.settings.experiment import (
    ModelConfig,
    free_parameters,
    with_calendar,
    with_forms,
)
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import GateConfig
from mmm_demo.sources.market import load_market

ROOT = Path(__file__).resolve().parent.parent
DEMO = load_experiment(ROOT / "experiments/demo.yaml")


def variants(model: ModelConfig) -> Iterator[tuple[str, ModelConfig]]:
    """Yield a model in each form that is not its own, by what differs."""
    for kind, forms in FORMS.items():
        for name in forms:
            if name != default(kind):
                yield f"{kind}: {name}", with_forms(model, **{kind: name})
    data = replace(DEMO.data, holidays=Holidays("US"))
    yield "holidays: US", with_calendar(model, load_market(data, model, ROOT).calendar)


def fitted(model: ModelConfig, table: object, seed: int) -> tuple[float, float, bool]:
    """Return microseconds of a gradient, seconds in the sampler, and whether the gate passed."""
    sampler = replace(DEMO.sampler, seed=seed)
    seconds, steps = 0.0, 0
    for attempt in ladder(sampler.target_accept):
        drawn = draw(model, table, sampler, attempt, cores=1)
        seconds += drawn.seconds
        steps += int(drawn.trace["sample_stats"]["n_steps"].sum())
        checks = convergence_checks(
            drawn.trace, free_parameters(model), GateConfig(), sampler.chains
        )
        if passed := all(check.passed for check in checks):
            break
    return 1e6 * seconds / steps, seconds, passed


def main() -> None:
    """Fit each form in turn with the default, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(1, parser.parse_args().seeds + 1)
    table = load_market(DEMO.data, DEMO.model, ROOT).table
    print(f"{'form':34} {'a gradient':>12} {'sampling':>10} {'passed':>8}")
    for name, model in variants(DEMO.model):
        rows = [(fitted(DEMO.model, table, seed), fitted(model, table, seed)) for seed in seeds]
        gradient, sampling = (
            statistics.median(other[which] / usual[which] for usual, other in rows)
            for which in (0, 1)
        )
        passed = sum(other[2] for _, other in rows)
        print(
            f"{name:34} {gradient:11.2f}x {sampling:9.2f}x {passed:>3} of {len(rows)}", flush=True
        )


if __name__ == "__main__":
    main()
