"""Do the checks see it when the model is wrong? Simulated worlds with one fault each.

    uv run python benchmarks/worlds.py [--seeds 3] [--clean 20] [--folds 5] [--replicates 5]
                                       [--out worlds.jsonl]
    uv run python benchmarks/worlds.py --summarise worlds.jsonl [more.jsonl ...]
    uv run python benchmarks/worlds.py --improve --out improved.jsonl [--seeds 10] [--clean 30]
                                       [--following 30] [--workers 2] [--first-seed 3001]
    uv run python benchmarks/worlds.py --improve --out improved.jsonl --summary

Every world is fitted with the demo's model, judged by all checks of a fit and by backtest,
recovery and placebo; the plan under other modelling choices is left out. A world is *wrong* when
the true total media contribution, or that of a channel with 5 % of sales or more, is missed by
more than 25 % and lies outside the 94 % interval. It is *refused* when a required check does not
pass and *flagged* when an advisory one fails; one that cannot be assessed is counted apart. A fault
is *silent* when its worlds are wrong and most of those are neither refused nor flagged. Intervals
are exact (Clopper-Pearson) ones at 95 %. The prior check depends on the scaled sales alone and is
not repeated for each world.

With `--improve`, every world of `mendable_worlds.py` is fitted with the demo's model and improved
as `mmm-demo improve` does it, in up to two rounds. A line of the file per world says for each
channel whether the true ROAS lies inside the 94 % interval before and after, the flags before and
after, what was recommended, every candidate, and seconds. Worlds that the file has already are not
made again, so a run that was killed goes on. Shares of channels have exact intervals for as many
trials as they are worth, clustered by world.

Limits were chosen with worlds of seeds below 100 in sight; the seeds here start at 101. One was
not: that of `prior_driven_share` went from 1/2 to 2/3 after eight clean worlds from 101 on.
"""

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

from faulty_worlds import FAULTS, simulate_world

PROJECT = Path(__file__).parents[1]
MISSED = 0.25


def main() -> None:
    """Run the benchmark, or sum up what runs of it wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--improve", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--clean", type=int)
    parser.add_argument("--following", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--first-seed", type=int)
    parser.add_argument("--faults", default="", help="comma-separated; all when empty")
    parser.add_argument("--folds", type=int)
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summarise", type=Path, nargs="+")
    asked = parser.parse_args()
    usual = {"seeds": 10, "clean": 30, "first_seed": 3001, "folds": 3}
    others = {"seeds": 3, "clean": 20, "first_seed": 101, "folds": 5}
    usual = usual if asked.improve else others
    for name, value in usual.items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    if asked.improve:
        _improve(asked)
    elif asked.summarise:
        _summarise([json.loads(line) for file in asked.summarise for line in file.open()])
    else:
        _summarise(list(_run(asked)))


def _improve(asked: argparse.Namespace) -> None:
    from improved_worlds import line_of, rows_of, run_improved, summary_lines

    if asked.out is None:
        raise SystemExit("--improve needs --out FILE, by which it goes on when it is killed")
    if not asked.summary:
        for row in run_improved(asked):
            print(line_of(row), flush=True)
    print("\n".join(summary_lines(rows_of(asked.out))))


def _run(asked: argparse.Namespace):
    faults = asked.faults.split(",") if asked.faults else FAULTS
    first = asked.first_seed
    worlds = [(None, seed) for seed in range(first, first + asked.clean)]
    worlds += [(fault, seed) for seed in range(first, first + asked.seeds) for fault in faults]
    for fault, seed in worlds:
        row = _world(fault, seed, asked)
        print(_line(row), flush=True)
        if asked.out:
            with asked.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        yield row


def _world(fault: str | None, seed: int, asked: argparse.Namespace) -> dict:
    from mmm_demo.checks.gate import FAILED, GateReport
    from mmm_demo.checks.judge import judge
    from mmm_demo.evidence.backtest import run_backtest
    from mmm_demo.evidence.gathered import Evidence
    from mmm_demo.evidence.placebo import run_placebo
    from mmm_demo.evidence.recovery import run_recovery
    from mmm_demo.evidence.refit import Refitter
    from mmm_demo.fits.response import scaling_of
    from mmm_demo.settings.experiment_file import load_experiment

    started = time.monotonic()
    experiment = load_experiment(PROJECT / "experiments" / "demo.yaml")
    evidence = replace(experiment.evidence, folds=asked.folds, replicates=asked.replicates)
    world = simulate_world(fault, seed)
    config = replace(experiment.model, scaling=scaling_of(experiment.model, world.table))
    refitter = Refitter(config, world.table, evidence)
    sampling = replace(evidence, draws=experiment.sampler.draws, tune=experiment.sampler.tune)
    fit = Refitter(config, world.table, sampling).fit(world.table, seed)
    row = {"fault": fault or "clean", "seed": seed, "seconds": 0.0}
    checks = fit.convergence.checks
    if fit.converged:  # without convergence nothing is interpreted
        fitted = fit.fitted()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checks += judge(fitted, fitted.decompose(), experiment.gate).checks
            tables = {
                "backtest": run_backtest(refitter, world.table, None, seed, _quiet),
                "recovery": run_recovery(refitter, fit.response, seed, _quiet),
                "placebo": run_placebo(fitted, evidence, seed, _quiet),
            }
        checks += Evidence(tables, "none", {}).checks
        row |= _against_truth(fit.response, world.truth, world.table)
        row["refits_converged"] = [int(sum(_converged(table))) for table in tables.values()] + [
            sum(len(_converged(table)) for table in tables.values())
        ]
    report = GateReport(tuple(checks))
    failed = [check for check in report.flags if check.status == FAILED]
    row["refused"] = [check.name for check in report.failures]
    row["flagged"] = {check.name: check.value for check in failed}
    row["unassessed"] = [check.name for check in report.flags if check not in failed]
    row["values"] = {check.name: check.value for check in checks}
    row["seconds"] = round(time.monotonic() - started, 1)
    return row


def _quiet(step) -> None:
    """Report nothing."""


def _converged(table) -> list[bool]:
    group = next((name for name in ("fold", "replicate") if name in table), None)
    return list(table.groupby(group)["converged"].all() if group else table["converged"])


def _against_truth(response, truth, table) -> dict:
    """Hold contributions, by channel and in total, against the truth."""
    import numpy as np

    spend = table[list(response.config.channel_columns)]
    draws = response.contributions(spend.to_numpy()).sum(axis=1)
    true = truth.contributions[list(spend.columns)].sum().to_numpy()
    worth = true / table[response.config.target_column].sum() >= 0.05
    names = [*spend.columns, "total"]
    draws = np.column_stack([draws, draws.sum(axis=1)])
    true, worth = np.append(true, true.sum()), np.append(worth, True)
    low, low_90, median, high_90, high = np.quantile(draws, [0.03, 0.05, 0.5, 0.95, 0.97], axis=0)
    error = median / true - 1
    missed = worth & (np.abs(error) > MISSED) & ((true < low) | (true > high))
    inside = (low_90 <= true) & (true <= high_90)
    return {
        "wrong": [name for name, bad in zip(names, missed, strict=True) if bad],
        "error": dict(zip(names, map(float, error), strict=True)),
        "inside_90": dict(zip(names, map(bool, inside), strict=True)),
    }


def _line(row: dict) -> str:
    wrong = ", ".join(f"{name} {row['error'][name]:+.0%}" for name in row.get("wrong", []))
    flags = ", ".join(f"{name} {value:.3g}" for name, value in row["flagged"].items())
    return (
        f"{row['fault']} {row['seed']}: wrong: {wrong or 'no'}; refused: "
        f"{', '.join(row['refused']) or 'no'}; flagged: {flags or 'no'} ({row['seconds']} s)"
    )


def _share(name: str, hits: int, trials: int) -> str:
    from scipy.stats import binomtest

    if not trials:
        return f"{name}: 0 of 0"
    exact = binomtest(hits, trials).proportion_ci(method="exact")
    return f"{name}: {hits} of {trials} (exact 95 % interval {exact.low:.0%} to {exact.high:.0%})"


def _summarise(rows: list[dict]) -> None:
    clean = [row for row in rows if row["fault"] == "clean"]
    if clean:
        print(
            _share("clean worlds refused", sum(bool(row["refused"]) for row in clean), len(clean))
        )
        print(
            _share("clean worlds flagged", sum(bool(row["flagged"]) for row in clean), len(clean))
        )
        print(
            _share("clean worlds wrong", sum(bool(row.get("wrong")) for row in clean), len(clean))
        )
        channels = [
            (abs(row["error"][name]), row["inside_90"][name])
            for row in clean
            if "error" in row
            for name in row["error"]
            if name != "total"
        ]
        errors = sorted(error for error, _ in channels)
        print(f"clean: median error of channel contributions {errors[len(errors) // 2]:.1%}")
        print(_share("clean: 90 % intervals that hold", sum(i for _, i in channels), len(channels)))
    silent = []
    for fault in dict.fromkeys(row["fault"] for row in rows if row["fault"] != "clean"):
        worlds = [row for row in rows if row["fault"] == fault]
        wrong = [row for row in worlds if row.get("wrong")]
        quiet = [row for row in wrong if not row["refused"] and not row["flagged"]]
        seen = [row for row in worlds if row["refused"] or row["flagged"]]
        by = sorted({name for row in seen for name in (*row["refused"], *row["flagged"])})
        if len(quiet) > len(wrong) / 2:
            silent.append(fault)
        print(
            f"{fault}: wrong {len(wrong)} of {len(worlds)}, wrong and silent {len(quiet)}, "
            f"refused or flagged {len(seen)} by {', '.join(by) or 'nothing'}"
        )
    print(f"silent faults: {len(silent)} ({', '.join(silent) or 'none'})")


if __name__ == "__main__":
    main()
