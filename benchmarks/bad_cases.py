"""The bad versions to try, and the check that each must be refused by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from forgeries import (
    PARAMETERS,
    Edit,
    Ground,
    Groups,
    believing,
    both,
    diverge,
    doubt,
    doubt_rows,
    draws,
    drop,
    examined,
    fail,
    forged,
    leave_out,
    loosen,
    not_converged,
    other_market,
    other_prior,
    part,
    put,
    put_one,
    raise_week,
    require_less,
    require_nothing,
    rewritten,
    shift_chain,
    slow_energy,
    swap_channels,
    take,
    text,
    to_north,
)
from mlflow.entities.model_registry import ModelVersion

from mmm_demo.checks.proof import CONFIG, FILES, GATE
from mmm_demo.settings.experiment import ExperimentConfig

NEVER = "promot|record"  # a version that proves its fit, but that no promotion made champion


@dataclass(frozen=True)
class Case:
    """A bad version: how to make it, and what must refuse it; "" where a way is not tried."""

    name: str
    make: Callable[[Ground], ModelVersion]
    promote: str
    plan: str


def trace_cases() -> Iterator[Case]:
    """Yield bad draws; every hash agrees, so that only judging them again can tell."""
    changes: list[tuple[str, Callable[[Groups], None], str]] = []
    for seed in range(4):
        name = PARAMETERS[seed]
        changes += [
            (f"not converged: chain {seed} of {name} shifted", part(shift_chain, seed), "rhat_max"),
            (
                f"not converged: {name} stuck for 100 draws at a time",
                part(put, name, lambda v: np.repeat(v[:, ::100], 100, axis=1)),
                "ess_bulk_min",
            ),
            (f"NaN in one draw of {name}", part(put_one, seed, np.nan), "rhat_max"),
        ]
    changes += [(f"{n + 1} divergences", part(diverge, n), "divergences") for n in range(3)]
    changes += [
        ("infinite draw", part(put_one, 1, np.inf), "rhat_max"),
        ("NaN draws throughout", part(put, "y_sigma", lambda v: v * np.nan), "rhat_max"),
        ("one chain", part(take, [2]), "chains"),
        ("three chains", part(take, [0, 1, 2]), "chains"),
        ("one chain, copied to look like four", part(take, [1] * 4), "chains"),
        ("100 draws", part(take, [0, 1, 2, 3], 100), "ess_tail_min"),
        ("constant parameter", part(put, "y_sigma", lambda v: v * 0 + 0.05), "rhat_max"),
        ("parameter missing", part(drop, "posterior", "gamma_fourier"), "rhat_max"),
        ("divergences not recorded", part(drop, "sample_stats", "diverging"), "divergences"),
        ("energy that drifts", slow_energy, "bfmi_min"),
    ]
    for name, change, check in changes:
        yield Case(name, forged(draws(change), "gate"), check, check)


def file_cases(root: Path, experiment: ExperimentConfig) -> Iterator[Case]:
    """Yield files that are not those of the fit, or were edited after it."""
    other = draws(part(other_market, root, experiment))
    run = text(GATE, lambda gate: gate.update(run_id="0" * 32))
    hashes = text(GATE, lambda gate: gate.update(files=dict.fromkeys(gate["files"], "0" * 64)))
    wide = text(CONFIG, lambda config: config["gate"].update(rhat_max=1.5))
    swapped, less = draws(swap_channels), text(GATE, require_less)
    false = {"passed": True, "status": "passed"}
    belongs = "gate.json belongs to "
    found: list[tuple[str, Edit, str, str]] = [
        ("swapped trace, another market's", other, "files", "bytes of trace.nc"),
        ("swapped trace, another market's", other, "tags", "data"),
        ("swapped trace, another market's", other, "gate", "data"),
        ("swapped trace, other draws for the same data", swapped, "files", "bytes of trace.nc"),
        ("swapped trace, other draws for the same data", swapped, "tags", belongs + "trace.nc"),
        ("another run's gate.json", run, "files", "bytes of gate.json"),
        ("another run's gate.json", run, "tags", "run"),
        ("another run's gate.json under this run's id", hashes, "tags", belongs + "trace.nc"),
        ("failed verdict", text(GATE, part(fail, {}, False)), "tags", "stored verdict"),
        ("failed verdict called passed", text(GATE, part(fail, {}, True)), "tags", "contradicts"),
        ("failed check called passed", text(GATE, part(fail, false, True)), "tags", "contradicts"),
        ("failed verdict called passed", text(GATE, part(fail, false, True)), "files", "bytes of"),
        ("limit loosened in gate.json", text(GATE, loosen), "tags", "readable|stored verdict"),
        ("battery no longer required in gate.json", less, "tags", "required batteries"),
        ("gate widened in config.json", wide, "files", "bytes of config.json"),
        ("gate widened in config.json", wide, "tags", "gate.rhat_max"),
        ("gate widened in config.json", wide, "gate", "gate.rhat_max"),
        ("other priors in config.json", text(CONFIG, other_prior), "tags", belongs + "config"),
        ("files of another market", text(CONFIG, to_north), "gate", "market"),
    ]
    for name in ("rhat_max", "coverage_94", "decomposition_gap"):
        for passed, check in ((True, "contradicts"), (False, "stored verdict")):
            edit = text(GATE, part(leave_out, name, passed))
            found.append((f"{name} left out, verdict {passed}", edit, "tags", check))
    for column in ("Sales", "TV", "Promotion"):
        checks = {"files": "bytes of trace", "tags": "data", "gate": "data"}
        edit = draws(part(raise_week, column))
        found += [(f"{column} changed after the fit", edit, *pair) for pair in checks.items()]
    for name in FILES:
        found.append((f"{name} missing", lambda at, name=name: (at / name).unlink(), "files", name))
    for name, edit, depth, check in found:
        named = "files" if name.endswith("missing") else check
        yield Case(f"{name} ({depth})", forged(edit, depth), named, named)


def contest_cases() -> Iterator[Case]:
    """Yield versions that prove their fit, and must not win the contest."""
    bigger = draws(part(put, "saturation_beta", lambda values: values * 1.6))
    yield Case(
        "refresh that moved ROAS", forged(bigger, "gate"), "written record", "written record"
    )
    good = forged(lambda folder: None, "tags", evidence=False)
    yield Case("required battery not measured", good, "placebo was not measured", NEVER)
    for name, change in (("failed", believing), ("whose refits did not converge", not_converged)):
        make = examined(change)
        yield Case(f"required battery {name}", make, "placebo_believed", NEVER)
    other = examined(lambda found: replace(found, files=dict.fromkeys(FILES, "0" * 64)))
    another = examined(lambda found: replace(found, fit_run="0" * 32))
    not_run = examined(lambda found: replace(found, tables={}, unassessed={"placebo": "short"}))
    edited, verdicts = rewritten(doubt_rows, False), rewritten(doubt, True)
    for name, make, check in (
        ("required battery that could not be run", not_run, "placebo_run"),
        ("evidence of another version", other, "evidence.json is about another"),
        ("evidence of another run", another, "evidence.json is about run"),
        ("evidence.json edited (files)", edited, "bytes of evidence.json"),
        (
            "verdicts of evidence.json edited (tags)",
            verdicts,
            "bytes of evidence.json",
        ),
    ):
        yield Case(name, make, check, "")


def whole_cases() -> Iterator[Case]:
    """Yield forgeries in which everything that is stored with the version agrees."""
    sales, spend = (draws(part(raise_week, name)) for name in ("Sales", "TV"))
    priors = forged(text(CONFIG, other_prior), "gate")  # its contest would take ten refits
    less = forged(both(text(CONFIG, require_nothing), text(GATE, require_less)), "gate")
    swapped = forged(draws(swap_channels), "gate")
    yield Case("sales changed, every hash rewritten (all)", forged(sales, "all"), ".", ".")
    yield Case("spend changed, every hash rewritten (all)", forged(spend, "all"), ".", ".")
    yield Case("other draws, every hash rewritten (gate)", swapped, ".", ".")
    yield Case("other priors, every hash rewritten (gate)", priors, "", ".")
    yield Case("no battery required, every hash rewritten (gate)", less, ".", ".")
    yield Case("rows of evidence.json edited (tags)", rewritten(doubt_rows, True), ".", "")


def all_cases(ground: Ground) -> Iterator[Case]:
    """Yield every bad version."""
    yield from trace_cases()
    yield from file_cases(ground.root, ground.experiment)
    yield from contest_cases()
    yield from whole_cases()
