"""Tables and draws -> figures, which never save themselves: the door of `plots`."""

from mmm_demo.plots.chains import energy, forest, rank, trace
from mmm_demo.plots.checks import lift_tests, posterior_predictive, prior_predictive, residuals
from mmm_demo.plots.explore import correlations, spend_over_time, target_over_time
from mmm_demo.plots.plan import (
    budget_change,
    frontier,
    gains,
    marginal_curves,
    response_curves,
    weekly_spend,
)
from mmm_demo.plots.results import (
    adstock_curve,
    channel_contribution,
    channel_shares,
    contributions_over_time,
    roas,
    saturation_curve,
    truth_comparison,
)

__all__ = [
    "adstock_curve",
    "budget_change",
    "channel_contribution",
    "channel_shares",
    "contributions_over_time",
    "correlations",
    "energy",
    "forest",
    "frontier",
    "gains",
    "lift_tests",
    "marginal_curves",
    "posterior_predictive",
    "prior_predictive",
    "rank",
    "residuals",
    "response_curves",
    "roas",
    "saturation_curve",
    "spend_over_time",
    "target_over_time",
    "trace",
    "truth_comparison",
    "weekly_spend",
]
