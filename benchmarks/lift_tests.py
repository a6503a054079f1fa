"""Show what lift tests do to ROAS where the truth is known and an unobserved confounder hides it.

    uv run python benchmarks/lift_tests.py [data/mmm_roas_data.csv] [--seeds 10] [--sigma 0.15]
    uv run python benchmarks/lift_tests.py --write data/mmm_roas_lift_tests.csv

The data are PyMC-Marketing's ROAS case study. Its other columns are the truth: `y01`, `y02` are
sales without x1, x2, and `x1_adstock`, `x2_adstock` the spend that works in a week, so together
they say what a steady spend brings. From them come two tests per channel: switched off at the
median level, and raised from the lower quartile to the 90 % quantile. What a test reports is the
true lift plus a normal error whose size, `--sigma` times the lift, it also reports. Each seed draws
other errors and another fit; the model sees date, x1, x2, y and the tests.

`--write` writes the tests of the first seed for `experiments/mmm_roas_lift.yaml`, and fits nothing.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scratch import ROOT

CHANNELS = ("x1", "x2")
DATA = ROOT / "data" / "mmm_roas_data.csv"


def true_roas(raw: pd.DataFrame) -> dict[str, float]:
    """Return what each channel brought per unit of spend."""
    return {
        name: float((raw["y"] - raw[f"y0{name[1]}"]).sum() / raw[name].sum()) for name in CHANNELS
    }


def make_tests(raw: pd.DataFrame, sigma: float, seed: int) -> pd.DataFrame:
    """Return two noisy tests per channel, in the columns of a lift test file."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in CHANNELS:
        level = raw[f"{name}_adstock"]
        effect = raw["y"] - raw[f"y0{name[1]}"]
        low, middle, high = (
            (level - level.quantile(share)).abs().idxmin() for share in (0.25, 0.5, 0.9)
        )
        changes = (
            (level[middle], -level[middle], -effect[middle], raw["date"][middle]),
            (level[low], level[high] - level[low], effect[high] - effect[low], raw["date"][high]),
        )
        for x, delta_x, lift, date in changes:
            error = sigma * abs(lift)
            rows.append((name, x, delta_x, lift + rng.normal(0, error), error, date))
    return pd.DataFrame(rows, columns=["channel", "x", "delta_x", "delta_y", "sigma", "date"])


def fit(raw: pd.DataFrame, tests: pd.DataFrame | None, seed: int, draws: int) -> dict[str, bool]:
    """Fit once, print a line per channel and test; return per channel whether truth is inside."""
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.fits.ladder import ladder
    from mmm_demo.fits.lift_report import compare_with_model
    from mmm_demo.fits.response import Response, scaling_of
    from mmm_demo.fits.sampler import sample_posterior
    from mmm_demo.settings.experiment import free_parameters
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.tables.contract import validate_table
    from mmm_demo.tables.lift import validate_lift_tests

    path = ROOT / "experiments" / "mmm_roas_lift.yaml"
    experiment = load_experiment(path, {"sampler": {"draws": draws, "seed": seed}})
    model, sampler = experiment.model, experiment.sampler
    raw = raw[["date", "y", *CHANNELS]]
    table, _ = validate_table(raw, model, experiment.data, "ROAS data")
    if tests is not None:
        tests, _ = validate_lift_tests(tests, model, table, "tests")
    attempt = ladder(sampler.target_accept)[0]
    trace = sample_posterior(model, table, sampler, attempt, lift_tests=tests).trace
    checks = convergence_checks(trace, free_parameters(model), experiment.gate, sampler.chains)
    response = Response(model, scaling_of(model, table), trace["posterior"].to_dataset(), table)
    roas = response.roas(table[list(CHANNELS)].to_numpy())
    inside = {}
    for place, (name, truth) in enumerate(true_roas(raw).items()):
        lower, median, upper = np.quantile(roas[:, place], [0.03, 0.5, 0.97])
        inside[name] = bool(lower <= truth <= upper)
        print(
            f"{seed:>4} {'without' if tests is None else 'with':>8} {name} {truth:8.2f} "
            f"{median:8.2f} {lower:8.2f} {upper:8.2f}  {'yes' if inside[name] else 'NO':>6} "
            f"{100 * (median / truth - 1):+8.1f} %"
        )
    values = {check.name: check.value for check in checks}
    print(
        f"     R-hat {values['rhat_max']:.4f}, ESS bulk {values['ess_bulk_min']:.0f}, tail "
        f"{values['ess_tail_min']:.0f}, divergences {values['divergences']:.0f}: convergence "
        f"{'passed' if all(check.passed for check in checks) else 'FAILED'}",
        flush=True,
    )
    for test in () if tests is None else compare_with_model(tests, response).itertuples():
        print(
            f"     test {test.channel} {test.x:.2f}{test.delta_x:+.2f}: measured "
            f"{test.delta_y:.1f} +- {test.sigma:.1f}, model {test.model_mean:.1f} "
            f"({test.model_lower_94:.1f} to {test.model_upper_94:.1f}), z {test.z:+.1f}"
        )
    return inside


def main() -> None:
    """Write the tests, or fit without and with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=DATA)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sigma", type=float, default=0.15, help="standard error, share of lift")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--write", type=Path, help="write the tests of the first seed here")
    options = parser.parse_args()
    raw = pd.read_csv(options.data)
    if options.write:
        make_tests(raw, options.sigma, seed=1).to_csv(options.write, index=False, mode="x")
        print(f"wrote {options.write}")
        return
    print("seed    tests ch    truth   median     3 %     97 %  inside     error")
    fit(raw, None, 1, options.draws)
    seeds = range(1, options.seeds + 1)
    found = [fit(raw, make_tests(raw, options.sigma, seed), seed, options.draws) for seed in seeds]
    for name in CHANNELS:
        hits = sum(inside[name] for inside in found)
        exact = binomtest(hits, len(found)).proportion_ci(0.95)
        print(
            f"with tests, {name}: truth inside the 94 % interval in {hits} of {len(found)} "
            f"(exact 95 % interval {exact.low:.0%} to {exact.high:.0%})"
        )


if __name__ == "__main__":
    main()
