"""Does a fit that should pass pass, and what does it cost? Over tables of many kinds.

    uv run python benchmarks/sampler_zoo.py --kinds report --seeds 1-20 --out zoo.jsonl
    uv run python benchmarks/sampler_zoo.py --kinds report --seeds 1-20 --out zoo.jsonl --reference
    uv run python benchmarks/sampler_zoo.py --kinds report --seeds 1-20 --out zoo.jsonl --mode plain
    uv run python benchmarks/sampler_zoo.py --summary zoo.jsonl

One JSON line per fit; a fit that the file has already is not made again. Every fit is judged by the
convergence gate at the project's limits. Modes: `project` samples as the project does, `intercept`
the same posterior in PyMC's own coordinates, `plain` is PyMC-Marketing's `MMM.fit` with its default
priors and settings on all cores. A reference is a long careful run, in either coordinates; a
refusal counts against us when a reference of the same table passes. Means and the ends of 94 %
intervals agree when they lie within some Monte Carlo errors of each other (`z`).

Seconds are those in the sampler, over all attempts, without compilation. Gradients are those of the
draws that are kept, without the warm-up.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from zoo_tables import FAIL, KINDS, OPEN, REPORT, TUNE, ZooTable, make_table

from mmm_demo.fits.ladder import Attempt, ladder
from mmm_demo.settings.experiment import SamplerConfig, free_parameters
from mmm_demo.settings.limits import GateConfig

SETS = {"tune": (*TUNE, *OPEN), "report": REPORT, "fail": FAIL, "all": KINDS}
DEFAULTS = SamplerConfig()
REFERENCE_DRAWS, REFERENCE = 5000, (Attempt(0.99, "diag", longer=2),)
ENDS = (0.03, 0.97)
FAR = 4.0  # Monte Carlo errors; 3 numbers of some 20 parameters rarely differ so much by chance


@dataclass(frozen=True)
class How:
    """In which way tables are fitted: what makes two fits of one table different."""

    mode: str = "project"
    attempts: tuple[Attempt, ...] = ladder(DEFAULTS.target_accept)
    draws: int = DEFAULTS.draws
    tune: int = DEFAULTS.tune
    reference: bool = False

    def __str__(self) -> str:
        """Name it in results."""
        if self.mode == "plain":
            return "plain"
        name = f"{self.mode} reference" if self.reference else self.mode
        return f"{name}: {self.tune}+{self.draws}; {'; '.join(map(str, self.attempts))}"


def fit_once(zoo: ZooTable, seed: int, how: How, cores: int | None = None) -> dict:
    """Fit a table, in as many attempts as it takes; return what came of it."""
    from mmm_demo.checks.convergence import convergence_checks

    row = {"passed": False, "attempts": 0, "seconds": 0.0, "gradients": 0}
    for attempt in how.attempts[: 1 if how.mode == "plain" else None]:
        trace, took = _sample(zoo, seed, how, attempt, cores)
        checks = convergence_checks(
            trace, free_parameters(zoo.model), GateConfig(), DEFAULTS.chains
        )
        row["attempts"] += 1
        row["seconds"] += took
        row["gradients"] += int(trace["sample_stats"]["n_steps"].sum())
        row["passed"] = all(check.passed for check in checks)
        if row["passed"]:
            break
    row |= {check.name: check.value for check in checks}
    row["refused_by"] = ", ".join(check.name for check in checks if not check.passed)
    return row | {"ends": _ends(trace["posterior"].to_dataset())}


def _sample(zoo: ZooTable, seed: int, how: How, attempt: Attempt, cores: int | None):
    """Sample once; return draws as the gate takes them, and the seconds in the sampler."""
    import xarray as xr
    from fit_speed import plain_fit

    from mmm_demo.fits.cores import usable_cores
    from mmm_demo.fits.sampler import draw
    from mmm_demo.fits.trace import as_written

    cores = cores or usable_cores()
    sampler = SamplerConfig(draws=how.draws, tune=how.tune, seed=seed)
    if how.mode == "plain":
        trace = plain_fit(zoo.model, zoo.table, seed, zoo.lift_tests, cores)
        return trace, float(trace.attrs["sampling_time"])
    if how.mode == "intercept":
        drawn, seconds = _in_own_coordinates(zoo, sampler, attempt, cores)
    else:
        done = draw(zoo.model, zoo.table, sampler, attempt, lift_tests=zoo.lift_tests, cores=cores)
        drawn, seconds = done.trace, done.seconds
    posterior = drawn["posterior"].to_dataset()[list(free_parameters(zoo.model))]
    groups = {"posterior": as_written(posterior, zoo.model)}
    groups["sample_stats"] = drawn["sample_stats"].to_dataset()
    return xr.DataTree.from_dict(groups), seconds


def _in_own_coordinates(zoo: ZooTable, sampler: SamplerConfig, attempt: Attempt, cores: int):
    """Sample the model as nutpie compiles it: a posterior to hold the project's sampler against."""
    import nutpie

    from mmm_demo.fits.build import build_model

    model = build_model(zoo.model, zoo.table, zoo.lift_tests).model
    free = [variable.name for variable in model.free_RVs]
    compiled = nutpie.compile_pymc_model(model, backend="numba", var_names=free)
    started = time.perf_counter()
    drawn = nutpie.sample(
        compiled,
        draws=sampler.draws,
        tune=sampler.tune * attempt.longer,
        chains=sampler.chains,
        cores=min(cores, sampler.chains),
        seed=sampler.seed,
        adaptation=attempt.adaptation,
        target_accept=attempt.target_accept,
        save_warmup=False,
        progress_bar=False,
    )
    return drawn, time.perf_counter() - started


def _ends(posterior) -> dict[str, list[float]]:
    """Return mean and ends of the 94 % interval of each value, then their Monte Carlo errors."""
    import arviz as az

    from mmm_demo.checks.convergence import labelled

    numbers = [posterior.mean(("chain", "draw"))]
    numbers += [posterior.quantile(end, ("chain", "draw")) for end in ENDS]
    numbers += [az.mcse(posterior)]
    numbers += [az.mcse(posterior, method="quantile", prob=end) for end in ENDS]
    found = defaultdict(list)
    for measured in numbers:
        for name in posterior.data_vars:
            for label, value in labelled(str(name), measured[name]):
                found[label].append(value)
    return dict(found)


def distances(one: dict, other: dict) -> list[float]:
    """Return how many Monte Carlo errors apart means and ends of two posteriors are."""
    if one.keys() != other.keys():
        raise ValueError(f"fits of other parameters: {sorted(one.keys() ^ other.keys())}")
    left, right = (np.array([fit[name] for name in one]) for fit in (one, other))
    apart = np.abs(left - right)[:, :3] / np.hypot(left[:, 3:], right[:, 3:])
    return apart.ravel().tolist()


def read_rows(path: Path) -> list[dict]:
    """Read the fits of a file; none when there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(kinds: tuple[str, ...], seeds: range, how: How, cores: int | None, out: Path) -> None:
    """Make the fits that the file has not, kind by kind, so that each compiles once."""
    there = {(row["kind"], row["seed"], row["how"]) for row in read_rows(out)}
    for kind in kinds:
        for seed in seeds:
            if (kind, seed, str(how)) in there:
                continue
            head = {"kind": kind, "seed": seed, "how": str(how), "reference": how.reference}
            row = head | fit_once(make_table(kind, seed), seed, how, cores)
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            verdict = "passed" if row["passed"] else f"REFUSED: {row['refused_by']}"
            print(
                f"{kind} {seed}, {row['attempts']}x, {row['seconds']:.1f} s: {verdict}", flush=True
            )


def summarise(rows: list[dict]) -> str:
    """Return, for each way, a table with a line per kind and one of all."""
    references, ways = defaultdict(list), defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["reference"]:
            references[row["kind"], row["seed"]].append(row)
        for kind in (row["kind"], "all"):
            ways[row["how"]][kind].append(row)
    tables = []
    for how, kinds in ways.items():
        kinds["all"] = kinds.pop("all")  # last
        lines = {kind: _line(fits, references) for kind, fits in kinds.items()}
        tables.append(f"{how}\n{pd.DataFrame.from_dict(lines, orient='index').to_string()}")
    return "\n\n".join(tables)


def _line(fits: list[dict], references: dict[tuple[str, int], list[dict]]) -> dict[str, object]:
    """Sum up fits of one way; `wrongly` refused are those whose reference passes."""
    wrongly = unknown = compared = 0
    apart: list[float] = []
    for fit in fits:
        if fit["reference"] or fit["how"] == "plain":  # plain has another posterior
            continue
        careful = references[fit["kind"], fit["seed"]]
        passed = [one for one in careful if one["passed"]]
        if not fit["passed"]:
            wrongly += bool(passed)
            unknown += not careful
        elif passed:
            compared += 1
            apart += [z for one in passed for z in distances(fit["ends"], one["ends"])]
    speed = [min(fit["ess_bulk_min"], fit["ess_tail_min"]) / fit["seconds"] for fit in fits]
    return {
        "fits": len(fits),
        "passed": sum(fit["passed"] for fit in fits),
        "wrongly": wrongly,
        "unknown": unknown,
        "seconds": f"{statistics.median([fit['seconds'] for fit in fits]):.1f}",
        "gradients": f"{statistics.median([fit['gradients'] for fit in fits]):.0f}",
        "ESS/s": f"{statistics.median(speed):.0f}",
        "attempts": f"{sum(fit['attempts'] for fit in fits) / len(fits):.2f}",
        "compared": compared,
        "largest z": f"{max(apart, default=float('nan')):.1f}",
        "far": f"{sum(not z <= FAR for z in apart)}/{len(apart)}",
    }


def _attempts(text: str) -> tuple[Attempt, ...]:
    """Read attempts as `0.9:low_rank,0.99:diag:3`: target, adaptation, times the warm-up."""
    parts = [one.split(":") for one in text.split(",")]
    return tuple(
        Attempt(float(target), adaptation, *map(int, longer))
        for target, adaptation, *longer in parts
    )


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Run the benchmark, or sum up what runs of it wrote."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*SETS, *KINDS]
    parser.add_argument("--kinds", nargs="+", default=["tune"], choices=names, metavar="KIND",
                        help=f"one or more of {', '.join(names)}")  # fmt: skip
    parser.add_argument("--seeds", type=_seeds, default=range(1, 4), help="1-20, or one")
    parser.add_argument("--mode", choices=("project", "intercept", "plain"), default="project")
    parser.add_argument("--reference", action="store_true", help="a long careful run")
    parser.add_argument("--attempts", type=_attempts, help="0.9:low_rank,0.95:diag,0.99:diag:3")
    parser.add_argument("--draws", type=int, default=DEFAULTS.draws)
    parser.add_argument("--tune", type=int, default=DEFAULTS.tune)
    parser.add_argument("--cores", type=int, help="all that may be used by default")
    parser.add_argument("--out", type=Path, default=Path("zoo.jsonl"))
    parser.add_argument("--summary", type=Path, nargs="+", metavar="FILE")
    asked = parser.parse_args()
    if asked.summary:
        print(summarise([row for path in asked.summary for row in read_rows(path)]))
        return
    if asked.reference and asked.mode == "plain":
        parser.error("plain has other priors: a reference is of --mode project or intercept")
    how = How(asked.mode, asked.attempts or How.attempts, asked.draws, asked.tune)
    if asked.reference:
        how = How(asked.mode, REFERENCE, REFERENCE_DRAWS, asked.tune, reference=True)
    kinds = dict.fromkeys(kind for name in asked.kinds for kind in SETS.get(name, (name,)))
    run(tuple(kinds), asked.seeds, how, asked.cores, asked.out)


if __name__ == "__main__":
    main()
