"""Seconds from the start of a process to the verdict on convergence, and to all that comes after.

    uv run python benchmarks/time_to_verdict.py [--pairs 3]

In turns, warm: the main job of a project of its own, and a plain `MMM.fit` of the same market with
four chains on all cores, followed by R-hat, ESS and divergences from arviz. Then a line for each
part of the main job, told by the lines that it prints, and the champion's first plan.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fit_speed import plain_fit
from scratch import ROOT, measure, scratch_project

COMMAND = [sys.executable, "-m", "mmm_demo.cli"]
VERDICT, END = "verdict: ", "end"
# What a part of the main job ends with: the beginning of a line that it prints.
PARTS = {
    "imports, store, data": "> prior check",
    "prior check": "> sampling, attempt 1",
    "build, compile, sample": "> drew ",
    "draws stored, verdict": "> converged",
    "decomposition": "> checking what the fit says",
    "judging": "> gate passed",
    "tables, scores, registry": "> registered ",
    "promotion": "> champion of ",
    "champion loaded and proven": "> plan with champion ",
    "plan and its report": "Plan ",
    "figures waited for, end": END,
}


def plain(seed: int) -> None:
    """Fit as PyMC-Marketing comes, in this process, and say what arviz finds."""
    import arviz as az

    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.sources.simulate import simulate_market

    experiment = load_experiment(ROOT / "experiments" / "demo.yaml")
    table = simulate_market(experiment.data.seed, experiment.data.weeks).table
    model = experiment.model
    table = table[list(model.columns)]
    trace = plain_fit(model, table, seed, cores=os.cpu_count())
    posterior = trace["posterior"].to_dataset()
    ess = [az.ess(posterior, method=kind).to_array().min() for kind in ("bulk", "tail")]
    rhat, stats = az.rhat(posterior).to_array().max(), trace["sample_stats"]
    print(
        f"{VERDICT}R-hat {float(rhat):.4f}, ESS {float(min(ess)):.0f}, "
        f"{int(stats['diverging'].sum())} divergences",
        flush=True,
    )


def timed(command: list[str], folder: Path) -> list[tuple[float, str]]:
    """Run a command; return each line that it prints with the seconds since its start."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    started, lines = time.perf_counter(), []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=clean | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout:
            lines.append((time.perf_counter() - started, line.rstrip()))
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with code {process.returncode}")
    return [*lines, (time.perf_counter() - started, END)]


def when(lines: list[tuple[float, str]], begin: str) -> float:
    """Return the seconds after which the first line with a beginning was printed."""
    for seconds, line in lines:
        if line.startswith(begin):
            return seconds
    sys.exit(f"no line begins with {begin!r}")


def parts(lines: list[tuple[float, str]]) -> dict[str, float]:
    """Return the seconds of each part of a main job; `PARTS` follow each other."""
    ends = [when(lines, begin) for begin in PARTS.values()]
    return {
        name: end - start for name, start, end in zip(PARTS, [0.0, *ends[:-1]], ends, strict=True)
    }


def ess(lines: list[tuple[float, str]]) -> str:
    """Return what a plain fit said of itself."""
    (said,) = re.findall(rf"{VERDICT}(.*)", "\n".join(line for _, line in lines))
    return said


def spread(values: list[float]) -> str:
    """Return the median and the range of some numbers."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Run the benchmark, or one plain fit of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--plain", type=int, metavar="SEED")
    asked = parser.parse_args()
    if asked.plain is not None:
        plain(asked.plain)
        return
    ours, theirs, plans = [], [], []
    for pair in range(asked.pairs + 1):  # the first only fills the compile cache
        with scratch_project() as folder:
            job = timed([*COMMAND, "main"], folder)
            plans.append(measure([*COMMAND, "optimize"], folder).wall)
        fit = timed([sys.executable, __file__, "--plain", str(pair + 1)], ROOT / "benchmarks")
        ours.append(job)
        theirs.append(fit)
        begin = PARTS["draws stored, verdict"]
        print(
            f"pair {pair}{'' if pair else ', left out'}: verdict {when(job, begin):.1f} s, "
            f"main {when(job, END):.1f} s, champion to plan {plans[-1]:.1f} s; "
            f"plain {when(fit, VERDICT):.1f} s, {ess(fit)}",
            flush=True,
        )
    ours, theirs, plans = ours[1:], theirs[1:], plans[1:]
    verdicts = [when(job, PARTS["draws stored, verdict"]) for job in ours]
    plain_verdicts = [when(fit, VERDICT) for fit in theirs]
    ratios = [mine / its for mine, its in zip(verdicts, plain_verdicts, strict=True)]
    rows = {
        "process start to verdict, s": verdicts,
        "  of plain MMM.fit on all cores, s": plain_verdicts,
        "  ratio": ratios,
        "main job, start to end, s": [when(job, END) for job in ours],
        "champion to first plan, s": plans,
    }
    by_part = [parts(job) for job in ours]
    rows |= {f"  {name}, s": [found[name] for found in by_part] for name in PARTS}
    for name, values in rows.items():
        print(f"{name:36} {spread(values)}")


if __name__ == "__main__":
    main()
