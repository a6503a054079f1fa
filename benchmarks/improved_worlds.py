"""What `mmm-demo improve` would recommend in worlds with known truth, and whether that is right.

It is a part of `worlds.py --improve`, which says what is measured.
"""

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
from mendable_worlds import CLEAN, FOLLOWING, MENDABLE, mendable_world

from mmm_demo.evidence.improve import AS_IT_IS, recommend
from mmm_demo.fits.response import scaling_of
from mmm_demo.settings.changes import Settings, changed
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.store.children import processes
from mmm_demo.sweeps.candidate import Candidate
from mmm_demo.sweeps.rounds import Outcome, try_remedies
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_candidate

PROJECT = Path(__file__).parents[1]
MISSED, WORTH = 0.25, 0.05  # as in `worlds.py`
WORLDS_EACH = 4  # of a process, which keeps every model that it compiled
Key = tuple[str, int]


def asked_worlds(asked: argparse.Namespace) -> list[Key]:
    """Return fault and seed of every world, the faults mixed so that an early stop has of all."""
    counts = dict.fromkeys(MENDABLE, asked.seeds) | {CLEAN: asked.clean, FOLLOWING: asked.following}
    if asked.faults:
        names = asked.faults.split(",")
        if unknown := [name for name in names if name not in counts]:
            raise SystemExit(f"no fault {', '.join(unknown)}; there are {', '.join(counts)}")
        counts = {name: counts[name] for name in names}
    first, most = asked.first_seed, max(counts.values(), default=0)
    return [
        (fault, first + number)
        for number in range(most)
        for fault, count in counts.items()
        if number < count
    ]


def run_improved(asked: argparse.Namespace) -> Iterator[dict]:
    """Make the worlds that the file does not have yet, and yield a row each as it is done."""
    known = {(row["fault"], row["seed"]) for row in rows_of(asked.out)}
    left = [key for key in asked_worlds(asked) if key not in known]
    _end_torn_line(asked.out)
    with processes(asked.workers, tasks_each=WORLDS_EACH) as pool:
        running: set[Future] = set()
        while left or running:
            while left and len(running) < asked.workers:
                running.add(pool.submit(improved_world, *left.pop(0), folds=asked.folds))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for row in (future.result() for future in done):
                with asked.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                yield row


def _end_torn_line(file: Path) -> None:
    """Give the line that a run was killed in an end, so that the next is one of its own."""
    if file.exists() and (text := file.read_text()) and not text.endswith("\n"):
        file.write_text(f"{text}\n")


def rows_of(file: Path) -> list[dict]:
    """Return the rows of a file; none where it is not there, and no line that was cut off."""
    rows = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # a run was killed while it wrote this; the world is made again
    return rows


def improved_world(fault: str, seed: int, folds: int) -> dict:
    """Fit a world as the demo is fitted, improve that fit, and hold both against the truth."""
    started = time.monotonic()
    world = mendable_world(None if fault == CLEAN else fault, seed)
    demo = load_experiment(PROJECT / "experiments" / "demo.yaml", {"sampler": {"seed": seed}})
    scaling = scaling_of(demo.model, world.table)
    base = replace(
        demo,
        model=replace(demo.model, scaling=scaling),
        evidence=replace(demo.evidence, folds=folds),
    )

    def fit_all(number: int, settings: list[Settings]) -> list[Outcome]:
        return [_fitted(base, item, world.table) for item in settings]

    first = _fitted(base, {}, world.table)
    outcomes = [first]
    if not first.tried.unusable:
        made = try_remedies(base, first.judged.report.flags, _beside(first, fit_all), _quiet)
        outcomes = made or outcomes
    found = recommend([of.tried for of in outcomes])
    after = outcomes[found.chosen or 0]
    return {
        "fault": fault,
        "seed": seed,
        "before": _against(first, world),
        "after": _against(after, world),
        "recommended": (found.chosen is not None and after.tried.name) or "",
        "reason": found.reason,
        "candidates": [
            {
                "fit": row.fit,
                "flags": list(row.flags),
                "behind": row.behind,
                "error": row.error,
                "seconds": row.seconds,
                "note": row.note,
                "inside": _against(of, world)["inside"],
            }
            for row, of in zip(found.table.itertuples(), outcomes, strict=True)
        ],
        "seconds": round(time.monotonic() - started, 1),
    }


def _beside(first: Outcome, fit_all):
    """Fit all but the fit as it is, which is fitted already."""

    def fit(number: int, settings: list[Settings]) -> list[Outcome]:
        rest = [item for item in settings if item]
        return [*([first] if len(rest) < len(settings) else []), *fit_all(number, rest)]

    return fit


def _fitted(base: ExperimentConfig, settings: Settings, table) -> Outcome:
    task = Candidate(changed(base, settings), table, None)
    return Outcome.of(settings, base, do_candidate(task, versions()))


def _quiet(text: str) -> None:
    """Say nothing."""


def _against(outcome: Outcome, world) -> dict:
    """Hold a fit's ROAS against the truth.

    Returns
    -------
    dict
        refused (why, if so), flags, inside and error (by channel; empty where it is refused), wrong
        (channels worth 5 % of sales that are missed by 25 % and lie outside the interval).
    """
    tried, true = outcome.tried, world.truth.roas
    told = {"refused": tried.refused, "flags": sorted(tried.flags)}
    if tried.refused:
        return told | {"inside": {}, "error": {}, "wrong": []}
    roas = tried.roas.set_index("channel").loc[true.index]
    inside = (roas["lower_94"] <= true) & (true <= roas["upper_94"])
    error = roas["median"] / true - 1
    wrong = ~inside & (error.abs() > MISSED) & (world.truth.share >= WORTH)
    return told | {
        "inside": {name: bool(value) for name, value in inside.items()},
        "error": {name: round(float(value), 4) for name, value in error.items()},
        "wrong": [name for name, value in wrong.items() if value],
    }


def line_of(row: dict) -> str:
    """Say a world in a line."""
    told = [f"{row['fault']} {row['seed']}:"]
    for when in ("before", "after"):
        of = row[when]
        inside = f"{sum(of['inside'].values())} of {len(of['inside'])} inside"
        told.append(f"{when} {of['refused'] or inside}, {len(of['flags'])} flags;")
    told.append(f"recommended: {row['recommended'] or AS_IT_IS} ({row['seconds']} s)")
    return " ".join(told)


def clustered_interval(inside: list[list[bool]]) -> tuple[float, float, float]:
    """Return a share over all channels with its 95 % interval, clustered by world.

    Channels of a world are not independent. The exact interval is that of as many independent
    trials as they are worth (Kish's design effect, at least 1, from the spread of the worlds' own
    shares); with no spread at all a world counts as one trial.

    Parameters
    ----------
    inside
        Of each world, whether each channel was.
    """
    from scipy.stats import beta

    hits, sizes = (np.array([f(of) for of in inside], float) for f in (sum, len))
    total, worlds = sizes.sum(), len(inside)
    if not total:
        return (float("nan"),) * 3
    share = hits.sum() / total
    trials = float(worlds)
    if worlds > 1 and 0 < share < 1:
        residual = hits - share * sizes
        variance = worlds / (worlds - 1) * (residual**2).sum() / total**2
        trials = min(total, share * (1 - share) / variance) if variance else total
    good = share * trials
    low = beta.ppf(0.025, good, trials - good + 1) if good > 0 else 0.0
    high = beta.ppf(0.975, good + 1, trials - good) if good < trials else 1.0
    return float(share), float(low), float(high)


def summary_lines(rows: list[dict]) -> list[str]:
    """Return the table that tells of all worlds, by fault and over the faults that have a form."""
    lines = [
        "| worlds | n | inside before | inside after | wrong, unflagged before | after "
        "| as it is | refused |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups = {name: [row for row in rows if row["fault"] == name] for name in MENDABLE}
    groups["all that have a form"] = [row for row in rows if row["fault"] in MENDABLE]
    groups |= {name: [row for row in rows if row["fault"] == name] for name in (CLEAN, FOLLOWING)}
    for name, worlds in groups.items():
        if not worlds:
            continue
        cells = [name, str(len(worlds))]
        for when in ("before", "after"):
            channels = [[*row[when]["inside"].values()] for row in worlds if row[when]["inside"]]
            share, low, high = clustered_interval(channels)
            cells.append(f"{share:.0%} ({low:.0%} to {high:.0%})")
        for when in ("before", "after"):
            silent = [row for row in worlds if row[when]["wrong"] and not row[when]["flags"]]
            cells.append(_counted(len(silent), len(worlds)))
        cells.append(_counted(sum(not row["recommended"] for row in worlds), len(worlds)))
        cells.append(str(sum(bool(row["before"]["refused"]) for row in worlds)))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _counted(hits: int, trials: int) -> str:
    from scipy.stats import binomtest

    exact = binomtest(hits, trials).proportion_ci(method="exact")
    return f"{hits} of {trials} ({exact.low:.0%} to {exact.high:.0%})"
