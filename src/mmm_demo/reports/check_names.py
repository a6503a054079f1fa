"""The checks and batteries in words, for people who did not write them."""

from mmm_demo.evidence.batteries import REFITTED
from mmm_demo.settings.batteries import BATTERIES

CHECK_NAMES = {
    "prior_extreme_share": "impossible prior sales",
    "rhat_max": "R-hat (worst)",
    "ess_bulk_min": "bulk ESS (worst)",
    "ess_tail_min": "tail ESS (worst)",
    "divergences": "divergences",
    "chains": "chains",
    "bfmi_min": "BFMI (worst chain)",
    "max_depth_share": "draws cut short at the tree depth",
    "decomposition_gap": "decomposition gap",
    "coverage_50": "weeks inside the 50 % interval",
    "coverage_80": "weeks inside the 80 % interval",
    "coverage_94": "weeks inside the 94 % interval",
    "p_maximum": "p-value of the largest sale",
    "p_largest_residual": "p-value of the largest residual",
    "p_lag1_residuals": "p-value of the residuals' lag-1 autocorrelation",
    "p_other_curve": "p-value of another saturation curve",
    "p_later_lags": "p-value of later lags of spend",
    "p_drifting_effect": "p-value of an effect that changes over time",
    "residual_cusum": "cumulated residuals (CUSUM)",
    "p_future_spend": "p-value of future spend",
    "residual_memory": "memory of the residuals",
    "spend_follows_demand": "correlation of spend with demand",
    "prior_driven_share": "share of spend in prior-driven channels",
    "roas_correlation_min": "lowest correlation between two ROAS",
    "negative_baseline_share": "share of negative baseline",
    "channel_share_max": "largest channel's share of all sales",
    "media_share": "media's share of all sales",
    "roas_outside_range": "channels with a ROAS out of range",
    "pareto_k_max": "most influential week (Pareto k)",
    "spend_outlier": "largest spend outlier",
    "odd_weeks": "weeks unlike all others",
    "contest_crps_ratio": "backtest CRPS over the champion's",
    "refresh_roas_outside": "channels moved out of the champion's interval",
    "contest_knowledge_lost": "channels whose ROAS the champion's data told and these do not",
    **{name: words for of in REFITTED.values() for name, words in of.checks.items()},
    **{f"{name}_run": f"{name} was run" for name in REFITTED},
}

# What each battery asks; the first three are always required.
BASIC = {
    "prior": "Do the priors allow mainly sales that are possible?",
    "convergence": "Did the sampler work?",
    "decomposition": "Do the parts add up to the model's sales?",
}
_ASKED = {
    "posterior_predictive": "Does the model make sales like those it was fitted on?",
    "identification": "Do the data, rather than the priors, decide over the ROAS?",
    "plausibility": "Would a marketer believe the result?",
}
_ASKED |= {name: battery.question for name, battery in REFITTED.items()}
QUESTIONS = BASIC | {name: _ASKED[name] for name in BATTERIES}


def check_name(name: str) -> str:
    """Return a check's name in words."""
    return CHECK_NAMES.get(name, name.replace("_", " "))


def battery_name(name: str) -> str:
    """Return a battery's name in words."""
    return name.replace("_", " ")
