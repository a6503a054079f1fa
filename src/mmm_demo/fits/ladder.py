"""In which ways a model is sampled, one after the other, and which models share a compilation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.tables.lift import lift_sha256

MOST_COMPILED = 12  # kernels in one process that fit into 1.2 GB; none is ever given back


@dataclass(frozen=True)
class Attempt:
    """How an attempt to sample moves.

    Attributes
    ----------
    target_accept
        Target acceptance rate.
    adaptation
        How nutpie learns the posterior's shape while it warms up: `low_rank` or `diag`.
    longer
        How many times the draws of warm-up that were asked for.
    """

    target_accept: float
    adaptation: str = "low_rank"
    longer: int = 1

    def __str__(self) -> str:
        longer = f", {self.longer} times the warm-up" if self.longer > 1 else ""
        return f"{self.adaptation}, target_accept {self.target_accept:g}{longer}"


def ladder(target_accept: float) -> tuple[Attempt, ...]:
    """Return the attempts of a fit, in order; each is another way, none a repetition.

    Chosen by `benchmarks/sampler_zoo.py`.
    """
    return (
        Attempt(target_accept),
        Attempt(max(target_accept, 0.95), "diag", longer=2),
        Attempt(max(target_accept, 0.99), "diag", longer=3),
    )


def graph_key(config: ModelConfig, lift_tests: pd.DataFrame | None, longest_lag: int) -> str:
    """Return what a compilation hangs on: two models with the same key share it."""
    priors = {
        name: (prior.distribution, {n: np.shape(value) for n, value in prior.parameters.items()})
        for name, prior in config.priors.items()
    }
    # Lift tests are compiled in scaled, so there the scaling counts too.
    scaling = None if lift_tests is None else config.scaling
    shape = replace(config, priors={}, scaling=scaling, adstock_max_lag=longest_lag, calendar=())
    events = {occurrence.name for occurrence in config.calendar}
    tests = "" if lift_tests is None else lift_sha256(lift_tests)
    return repr((shape, priors, tests, sorted(events)))


def attempt_params(number: int, attempt: Attempt) -> dict[str, str | float | int]:
    """Return the params with which a run says how an attempt moved."""
    said = {"target_accept": attempt.target_accept, "adaptation": attempt.adaptation}
    return {
        f"sampler.attempt_{number}.{name}": value
        for name, value in (said | {"warm_up_times": attempt.longer}).items()
    }


def read_attempt(params: Mapping[str, str], number: str) -> Attempt:
    """Read how a run's attempt moved; see `attempt_params`.

    Runs from before there were several ways have no more than the target.

    Raises
    ------
    ValueError
        When the run does not say it.
    """
    known = {
        name: params.get(f"sampler.attempt_{number}.{name}", usual)
        for name, usual in (
            ("target_accept", "missing"),
            ("adaptation", Attempt.adaptation),
            ("warm_up_times", Attempt.longer),
        )
    }
    try:
        return Attempt(
            float(known["target_accept"]), str(known["adaptation"]), int(known["warm_up_times"])
        )
    except ValueError:
        raise ValueError(f"param sampler.attempt_{number}: {known}") from None
