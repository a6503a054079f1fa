"""The batteries of checks that an experiment may require, by name."""

# In the order in which their answers matter.
BATTERIES = (
    "posterior_predictive",
    "backtest",
    "recovery",
    "identification",
    "placebo",
    "plausibility",
    "sensitivity",
)
FIT_BATTERIES = ("posterior_predictive", "identification", "plausibility")  # made by the fit itself
EVIDENCE_BATTERIES = tuple(name for name in BATTERIES if name not in FIT_BATTERIES)  # of refits
