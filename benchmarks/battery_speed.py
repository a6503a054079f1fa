"""What a battery of refits costs: one compiled model against plain cold fits.

    uv run python benchmarks/battery_speed.py [--folds 5] [--replicates 5] [--placebos 3]

Both sides refit the demo market on the same tables with the same draws: backtest folds, recovery
replicates, placebos. Warm is what `mmm-demo evidence` does, from before its first compilation;
cold builds and compiles a model for every attempt, as `MMM.fit` does, in the same process, at a
target_accept of 0.98 and, where that does not converge, 0.99. Both sides judge every refit by the
convergence gate. Times are wall seconds and CPU seconds of this process.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from fit_speed import library_fit

PROJECT = Path(__file__).parents[1]


def main() -> None:
    """Run both sides and print seconds, their ratio and how many refits converged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--placebos", type=int, default=3)
    asked = parser.parse_args()

    from mmm_demo.fits.response import scaling_of
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.sources.market import load_market

    experiment = load_experiment(PROJECT / "experiments" / "demo.yaml")
    evidence = replace(experiment.evidence, **vars(asked))
    table = load_market(experiment.data, experiment.model, PROJECT).table
    model = replace(experiment.model, scaling=scaling_of(experiment.model, table))

    first = _fitted(model, table, evidence)
    seen: list[tuple] = []  # model and table of every refit, in order
    warm = _timed(lambda: _warm(model, table, evidence, first, seen))
    cold = _timed(lambda: [_cold(config, weeks, evidence) for config, weeks in seen])
    for name, (wall, cpu, converged) in (("warm", warm), ("cold", cold)):
        print(
            f"{name}: {len(converged)} refits in {wall:.0f} s ({cpu:.0f} CPU s), "
            f"{sum(converged)} converged"
        )
    print(f"cold / warm: {cold[0] / warm[0]:.1f} wall, {cold[1] / warm[1]:.1f} CPU")


def _timed(job) -> tuple[float, float, list[bool]]:
    wall, cpu = time.monotonic(), time.process_time()
    converged = job()
    return time.monotonic() - wall, time.process_time() - cpu, converged


def _fitted(model, table, evidence):
    """Return the fit that is examined, made before the clock starts and without the warm path."""
    import xarray as xr

    from mmm_demo.fits.fitted import FittedModel
    from mmm_demo.fits.ladder import ladder
    from mmm_demo.fits.sampler import Kernels, draw
    from mmm_demo.fits.trace import WEEKLY_TABLE, stored_table
    from mmm_demo.settings.experiment import SamplerConfig

    sampler = SamplerConfig(draws=evidence.draws, tune=evidence.tune)
    attempt = ladder(sampler.target_accept)[0]
    trace = draw(model, table, sampler, attempt, kernels=Kernels(1)).trace
    trace[WEEKLY_TABLE] = xr.DataTree(stored_table(table))
    return FittedModel(model, trace)


def _warm(model, table, evidence, fitted, seen) -> list[bool]:
    from mmm_demo.evidence.backtest import run_backtest
    from mmm_demo.evidence.placebo import run_placebo
    from mmm_demo.evidence.recovery import run_recovery
    from mmm_demo.evidence.refit import Refitter

    converged: list[bool] = []

    def watch(step) -> None:
        converged.append(step.refit.converged)
        seen.append((step.refit.response.config, step.refit.response.training))

    refitter = Refitter(model, table, evidence)
    run_backtest(refitter, table, None, 1, watch)
    run_recovery(refitter, fitted.response, 1, watch)
    run_placebo(fitted, evidence, 1, watch)
    return converged


def _cold(config, table, evidence) -> bool:
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.checks.gate import GateReport
    from mmm_demo.settings.experiment import SamplerConfig, free_parameters
    from mmm_demo.settings.limits import GateConfig

    sampler = SamplerConfig(draws=evidence.draws, tune=evidence.tune)
    for target_accept in (0.98, 0.99):
        trace = library_fit(config, table, sampler, target_accept)
        checks = convergence_checks(trace, free_parameters(config), GateConfig(), sampler.chains)
        if not GateReport(checks).failures:
            return True
    return False


if __name__ == "__main__":
    main()
