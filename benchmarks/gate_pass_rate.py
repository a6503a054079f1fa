"""How often the demo passes the gate, and how often its intervals hold the truth.

    uv run python benchmarks/gate_pass_rate.py [--seeds 10]

Each seed draws a market of its own and the chains; each goes through the whole pipeline up to the
registered version, in one process. The interval is the exact (Clopper-Pearson) one at 95 %.
Intervals of channels of one market are not independent, so the true uncertainty is a bit larger.
"""

import argparse
import os

from scratch import scratch_project


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(1, parser.parse_args().seeds + 1)
    with scratch_project() as folder:
        os.chdir(folder)
        from mmm_demo.settings.project import apply_defaults

        apply_defaults()
        rows = [row for seed in seeds for row in _fit(seed, folder)]
    _summarise(rows, len(seeds))


def _fit(seed: int, folder) -> list[dict]:
    from mmm_demo.checks.gate import GateRefused
    from mmm_demo.jobs.fit import run_fit
    from mmm_demo.settings.experiment_file import load_experiment

    overrides = {"data": {"seed": seed}, "sampler": {"seed": seed}}
    experiment = load_experiment(folder / "experiments" / "demo.yaml", overrides)
    lines: list[str] = []
    try:
        done = run_fit(experiment, folder, lines.append)
    except GateRefused as refusal:
        print(f"seed {seed}: REFUSED {refusal}", flush=True)
        return []
    values = {check.name: check.value for check in done.report.checks}
    attempts = sum(line.startswith("sampling, attempt") for line in lines)
    roas = done.results.truth[done.results.truth["quantity"] == "ROAS"].assign(seed=seed)
    print(
        f"seed {seed}: passed, attempts {attempts}, R-hat {values['rhat_max']:.4f}, ESS "
        f"{values['ess_bulk_min']:.0f}/{values['ess_tail_min']:.0f}, "
        f"ROAS inside {roas['inside'].sum()} of {len(roas)}",
        flush=True,
    )
    return roas.to_dict("records")


def _summarise(rows: list[dict], seeds: int) -> None:
    from scipy.stats import binomtest

    passed = len({row["seed"] for row in rows})
    inside = sum(row["inside"] for row in rows)
    for name, hits, trials in (("gate passed", passed, seeds), ("true ROAS", inside, len(rows))):
        exact = binomtest(hits, trials).proportion_ci(method="exact")
        between = f"{exact.low:.1%} to {exact.high:.1%}"
        print(f"{name}: {hits} of {trials} ({hits / trials:.1%}; exact 95 % interval {between})")
    exact = binomtest(inside, len(rows)).proportion_ci(method="exact")
    print(f"94 % lies inside the interval of the coverage: {exact.low <= 0.94 <= exact.high}")
    errors = [abs(row["median"] / row["truth"] - 1) for row in rows]
    print(f"median error of ROAS: {sorted(errors)[len(errors) // 2]:.1%}")


if __name__ == "__main__":
    main()
