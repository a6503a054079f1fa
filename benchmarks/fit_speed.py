"""Compare this project's fit with a plain default `MMM.fit`, side by side.

    uv run python benchmarks/fit_speed.py [--seeds 3]

Both fit the same simulated market, in turns, each in a process of its own, from start to posterior.
`plain` is PyMC-Marketing as it comes: its default priors, its default sampler settings. Both are
judged by the same gate over the same free parameters. The posteriors differ (the priors do), so
ESS per CPU second compares what a user gets for a second of computing, not one algorithm with
another on one target.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from scratch import ROOT, measure

KINDS = ("plain", "project")


def fit(kind: str, seed: int) -> dict:
    """Fit in this process; return gate values and verdict."""
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.fits.ladder import ladder
    from mmm_demo.fits.sampler import sample_posterior
    from mmm_demo.fits.trace import load_trace, save_trace
    from mmm_demo.settings.experiment import free_parameters
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.sources.simulate import simulate_market

    experiment = load_experiment(ROOT / "experiments" / "demo.yaml", {"sampler": {"seed": seed}})
    model, table = experiment.model, simulate_market(seed, experiment.data.weeks).table
    if kind == "plain":
        trace = plain_fit(model, table, seed)
    else:
        attempt = ladder(experiment.sampler.target_accept)[0]
        trace = sample_posterior(model, table, experiment.sampler, attempt).trace
        with tempfile.TemporaryDirectory() as folder:
            save_trace(trace, Path(folder) / "trace.nc")
            trace = load_trace(Path(folder) / "trace.nc")
    checks = convergence_checks(trace, free_parameters(model), experiment.gate, 4)
    values = {check.name: check.value for check in checks}
    return values | {"passed": all(check.passed for check in checks)}


def plain_fit(model, table, seed: int, lift_tests=None, cores: int | None = None):
    """Fit as PyMC-Marketing comes; return the trace of the free parameters."""
    return as_judged(plain_mmm(model, table, seed, lift_tests, cores))


def plain_mmm(
    model, table, seed: int, lift_tests=None, cores: int | None = None, saturation="logistic"
):
    """Fit as PyMC-Marketing comes, with its own `logistic` or `hill` saturation."""
    from pymc_marketing.mmm import MMM, GeometricAdstock, HillSaturation, LogisticSaturation

    mmm = MMM(
        date_column=model.date_column,
        target_column=model.target_column,
        channel_columns=list(model.channel_columns),
        control_columns=list(model.control_columns) or None,
        adstock=GeometricAdstock(l_max=model.adstock_max_lag),
        saturation={"logistic": LogisticSaturation, "hill": HillSaturation}[saturation](),
        yearly_seasonality=model.yearly_seasonality,
    )
    features = table.drop(columns=model.target_column)
    sales = table[model.target_column]
    mmm.build_model(features, sales)
    if lift_tests is not None:
        mmm.add_lift_test_measurements(lift_tests.drop(columns="date"))
    asked = {} if cores is None else {"cores": cores, "chains": 4}  # else as many as cores
    mmm.fit(features, sales, random_seed=seed, progressbar=False, **asked)
    return mmm


def as_judged(mmm):
    """Return the draws of a fit as the gate takes them: of the free parameters alone."""
    import xarray as xr

    free = [variable.name for variable in mmm.model.free_RVs]
    groups = {
        "posterior": mmm.idata.posterior.to_dataset()[free],
        "sample_stats": mmm.idata.sample_stats.to_dataset(),
    }
    trace = xr.DataTree.from_dict(groups)
    trace.attrs["sampling_time"] = mmm.idata.posterior.attrs["sampling_time"]
    return trace


def library_fit(model, table, sampler, target_accept: float):
    """Fit the project's model as PyMC-Marketing does, which compiles it with its data."""
    from mmm_demo.fits.build import build_model, features, target
    from mmm_demo.fits.cores import usable_cores

    mmm = build_model(model, table)
    mmm.fit(
        features(model, table, table),
        target(model, table),
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        cores=min(sampler.chains, usable_cores()),
        random_seed=sampler.seed,
        nuts_sampler="nutpie",
        nuts={"adaptation": "low_rank", "target_accept": target_accept},
        compute_convergence_checks=False,
        progressbar=False,
    )
    return as_judged(mmm)


def main() -> None:
    """Run the benchmark, or one fit of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--worker", nargs=2, metavar=("KIND", "SEED"))
    options = parser.parse_args()
    if options.worker:
        kind, seed = options.worker
        print(json.dumps(fit(kind, int(seed))))
        return
    compare(options.seeds)


def compare(seeds: int) -> None:
    """Fit in turns and print a row per fit, then the ratios."""
    for kind in KINDS:  # the first run of each compiles its kernels; both are compared warm
        _run(kind, 0)
    header = f"{'seed':>4} {'fit':>8} {'wall s':>7} {'CPU s':>6} {'min ESS':>8} {'ESS/CPU s':>9}"
    print(f"{header} {'MB':>5} {'R-hat':>7} {'div':>4}  gate")
    rate: dict[str, list[float]] = {kind: [] for kind in KINDS}
    passed = dict.fromkeys(KINDS, 0)
    for seed in range(1, seeds + 1):
        for kind in KINDS if seed % 2 else reversed(KINDS):
            done = _run(kind, seed)
            found = done.result()
            ess = min(found["ess_bulk_min"], found["ess_tail_min"])
            rate[kind].append(ess / done.cpu)
            passed[kind] += found["passed"]
            print(
                f"{seed:>4} {kind:>8} {done.wall:7.1f} {done.cpu:6.1f} {ess:8.0f} "
                f"{ess / done.cpu:9.1f} {done.peak_mb:5.0f} {found['rhat_max']:7.4f} "
                f"{found['divergences']:4.0f}  {'passed' if found['passed'] else 'FAILED'}",
                flush=True,
            )
    ratios = [ours / plain for ours, plain in zip(rate["project"], rate["plain"], strict=True)]
    print(
        f"ESS per CPU second, project against plain: median {statistics.median(ratios):.1f}x, "
        f"{min(ratios):.1f}x to {max(ratios):.1f}x; gate passed: project {passed['project']} of "
        f"{seeds}, plain {passed['plain']} of {seeds}"
    )


def _run(kind: str, seed: int):
    return measure([sys.executable, __file__, "--worker", kind, str(seed)], ROOT / "benchmarks")


if __name__ == "__main__":
    main()
