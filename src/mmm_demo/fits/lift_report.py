"""Each lift test against what a fitted model says about it."""

import numpy as np
import pandas as pd

from mmm_demo.fits.response import Response
from mmm_demo.tables.lift import unexpected_sign

WITHIN = 1.881  # standard deviations of a normal distribution that hold 94 %


def compare_with_model(lift_tests: pd.DataFrame, response: Response) -> pd.DataFrame:
    """Return each test beside the model's own estimate of the same lift.

    The model's lift is its steady response to `x + delta_x` less that to `x`: the quantity that
    the test's likelihood compares with `delta_y`.

    Parameters
    ----------
    lift_tests
        Clean lift tests (`lift.validate_lift_tests`).
    response
        The model with its draws.

    Returns
    -------
    pandas.DataFrame
        One row per test, in its order: the columns of the test; its own 94 % interval `lower_94`,
        `upper_94`; `model_mean`, `model_lower_94`, `model_upper_94`, all in sales per week; `z`,
        how many standard errors of the test lie between `delta_y` and the model's mean; `inside`,
        whether the test's own interval holds the model's mean; `unexpected_sign`.
    """
    channels = list(response.config.channel_columns)
    place = [channels.index(name) for name in lift_tests["channel"]]
    scale = np.array(response.scaling.channels)
    before, change = (lift_tests[name].to_numpy()[:, None] for name in ("x", "delta_x"))
    levels = (response.saturated(spend[None] / scale) for spend in (before + change, before))
    after, start = (level[:, np.arange(len(place)), place] for level in levels)
    lift = (after - start) * response.scaling.target
    lower, upper = np.quantile(lift, [0.03, 0.97], axis=0)
    measured, sigma = (lift_tests[name].to_numpy() for name in ("delta_y", "sigma"))
    z = (measured - lift.mean(axis=0)) / sigma
    return lift_tests.reset_index(drop=True).assign(
        lower_94=measured - WITHIN * sigma,
        upper_94=measured + WITHIN * sigma,
        model_mean=lift.mean(axis=0),
        model_lower_94=lower,
        model_upper_94=upper,
        z=z,
        inside=np.abs(z) <= WITHIN,
        unexpected_sign=unexpected_sign(lift_tests).to_numpy(),
    )
