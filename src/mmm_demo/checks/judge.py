"""A converged fit, judged by what it says: whether it adds up, predicts, identifies, convinces."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mmm_demo.checks import identification, plausibility, pointwise, predictive, specification
from mmm_demo.checks.convergence import decomposition_check
from mmm_demo.checks.gate import Check
from mmm_demo.checks.remedies import with_remedies
from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.settings.data import Accepted
from mmm_demo.settings.limits import GateConfig


@dataclass(frozen=True)
class Judged:
    """What the checks found.

    Attributes
    ----------
    checks
        All that need the fit alone.
    identification
        Of each channel's ROAS, whether it comes from the data or from the prior.
    pairs
        Channels that the data cannot tell apart.
    pointwise
        Leave-one-out estimate of each week (`checks.pointwise.loo_table`).
    """

    checks: tuple[Check, ...]
    identification: pd.DataFrame
    pairs: pd.DataFrame
    pointwise: pd.DataFrame


def judge(
    fitted: FittedModel,
    parts: Decomposition,
    limits: GateConfig,
    accepted: Sequence[Accepted] = (),
) -> Judged:
    """Judge a fit whose sampler worked; without convergence none of this means anything.

    Parameters
    ----------
    fitted, parts
        Model and its decomposition.
    limits
        Limits of the gate.
    accepted
        Weeks of the data that are known to be right (`DataConfig.accept`).
    """
    roas, mean = fitted.roas(), parts.mean.to_numpy()
    likelihood = pointwise.fitted_log_likelihood(fitted)
    posterior = fitted.trace["posterior"].to_dataset()
    estimate = pointwise.loo(likelihood, posterior)
    table = identification.identification_table(fitted, likelihood)
    checks = (
        decomposition_check(parts),
        *predictive.predictive_checks(
            fitted.observed,
            fitted.predictive(),
            fitted.response.expected(mean),
            limits.coverage_94_min,
            fitted.config.form("noise").given,
        ),
        *specification.specification_checks(fitted),
        *identification.identification_checks(table, roas),
        *plausibility.plausibility_checks(parts, fitted.observed, roas, limits.roas_range),
        plausibility.influence_check(estimate),
        plausibility.spend_outlier_check(fitted.spend, fitted.weeks),
        plausibility.odd_weeks_check(
            fitted.table.set_index(fitted.config.date_column),
            fitted.config.target_column,
            fitted.config.channel_columns,
            accepted,
        ),
    )
    by_week = pointwise.loo_table(estimate)
    advised = with_remedies(checks, fitted.config)
    return Judged(advised, table, identification.inseparable_pairs(roas), by_week)
