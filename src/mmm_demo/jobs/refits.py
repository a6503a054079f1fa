"""Gathering evidence about a fit: each refit is a run of its own, and touches nothing else."""

from collections.abc import Callable, Sequence
from functools import cached_property

import pandas as pd

from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import batteries
from mmm_demo.evidence.batteries import Step, Watch
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.evidence.refit import Refitter
from mmm_demo.settings.run_schema import by_channel
from mmm_demo.store.runs import Run, open_run


class Examination:
    """One fit under examination; compiles its model once, when the first refit needs it.

    Parameters
    ----------
    bundle
        Proven files of the fit.
    watch
        Is told of each refit.
    """

    def __init__(self, bundle: Bundle, watch: Watch) -> None:
        self.fitted, self.watch = bundle.fitted, watch
        self.experiment = bundle.experiment
        self.seed = bundle.experiment.sampler.seed

    @cached_property
    def refitter(self) -> Refitter:
        """The model, compiled at its first refit."""
        return Refitter(self.fitted.config, self.fitted.table, self.experiment.evidence)

    def backtest(self) -> pd.DataFrame:
        """Return the forecast weeks (`batteries.run_backtest`)."""
        return batteries.run_backtest(
            self.refitter, self.fitted.table, self.fitted.lift_tests, self.seed, self.watch
        )

    def recovery(self) -> pd.DataFrame:
        """Return the replicates (`batteries.run_recovery`)."""
        return batteries.run_recovery(self.refitter, self.fitted.response, self.seed, self.watch)

    def placebo(self) -> pd.DataFrame:
        """Return the placebos (`batteries.run_placebo`)."""
        return batteries.run_placebo(self.fitted, self.experiment.evidence, self.seed, self.watch)

    def sensitivity(self) -> pd.DataFrame:
        """Return the variants (`batteries.run_sensitivity`)."""
        return batteries.run_sensitivity(
            self.fitted, self.experiment.budget, self.experiment.evidence, self.seed, self.watch
        )


def gather(
    bundle: Bundle, fit_run: str, wanted: Sequence[str], known: Evidence | None, watch: Watch
) -> Evidence:
    """Run the batteries that are wanted; those known before stay as they were.

    Parameters
    ----------
    bundle, fit_run
        Proven files of the fit, and its run.
    wanted
        Names of batteries (`limits.EVIDENCE_BATTERIES`).
    known
        Evidence gathered before about the same files.
    watch
        Is told of each refit.
    """
    examination = Examination(bundle, watch)
    tables = dict(known.tables) if known else {}
    unassessed = dict(known.unassessed) if known else {}
    for battery in wanted:
        run: Callable[[], pd.DataFrame] = getattr(examination, battery)
        tables.pop(battery, None)
        unassessed.pop(battery, None)
        try:
            tables[battery] = run()
        except ValueError as fault:  # too few weeks, or a budget that a variant cannot plan
            unassessed[battery] = str(fault)
    return Evidence(tables, fit_run, bundle.files, unassessed)


def recorded(run: Run, watch: Watch) -> Watch:
    """Return a watch that logs each refit as a child run before it passes it on."""

    def record(step: Step) -> None:
        # Some are named by channel, whose characters a metric's name may not have.
        measured = pd.Series(step.measured).rename_axis("channel").reset_index(name="value")
        with open_run(f"{step.battery}: {step.name}", "refit", run) as child:
            child.log(
                params={"refit.battery": step.battery, "refit.number": step.number},
                metrics=step.refit.convergence.metrics()
                | by_channel(step.battery, measured, "value"),
                tags={"gate": "none: a refit for evidence", "converged": step.refit.converged},
            )
        watch(step)

    return record
