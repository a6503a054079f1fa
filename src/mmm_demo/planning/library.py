"""PyMC-Marketing's own optimizer on the same question: the reference in tests and benchmarks."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from pymc_marketing.mmm.budget_optimizer import BudgetOptimizer

from mmm_demo.fits.build import inside
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.feasible import Region
from mmm_demo.planning.window import BudgetError, Window

NOTHING_CARRIED_IN = r"Requested \d+ carry-in periods"


@dataclass(frozen=True, eq=False)
class LibraryPlanner:
    """PyMC-Marketing's optimizer for one window and the objective `response`.

    It spreads a channel's money evenly, and counts money per week where we count per window.

    Attributes
    ----------
    fitted, window
        The model and the weeks to plan.
    draws
        Number of evenly spaced draws to keep at least; None for all.
    compiled
        Whether the objective is compiled: worth its seconds for several plans over many draws.
    """

    fitted: FittedModel
    window: Window
    draws: int | None = None
    compiled: bool = False

    @cached_property
    def optimizer(self) -> BudgetOptimizer:
        """The library's object; to build it takes seconds."""
        window, mmm = self.window, self.fitted.mmm
        everything, prices = mmm.idata, np.tile(window.cost, (window.weeks, 1))
        dated = {"date": window.dates.to_numpy(), "channel": self._channels}
        try:
            mmm.idata = _thinned(everything, self.draws)
            with warnings.catch_warnings():
                # After a gap the spend before the window is unknown, to both of us.
                warnings.filterwarnings("ignore", NOTHING_CARRIED_IN, UserWarning)
                return mmm.budget_optimizer(
                    window.start,
                    window.end,
                    # All channels, named: its own detection leaves out what it deems inactive.
                    budgets_to_optimize=self._labelled(np.ones(len(window.channels), dtype=bool)),
                    cost_per_unit=xr.DataArray(prices, dims=("date", "channel"), coords=dated),
                    compile_kwargs=None if self.compiled else {"mode": "FAST_COMPILE"},
                )
        finally:
            mmm.idata = everything

    @property
    def _channels(self) -> list[str]:
        return [inside(name) for name in self.window.channels]

    @cached_property
    def _carried_in(self) -> np.ndarray:
        """What earlier spend still earns; the library counts it as response, shape (sample,)."""
        return self._all_media(np.zeros(len(self.window.channels)))

    def plan(self, region: Region) -> np.ndarray:
        """Return the best channel totals for an exact budget within bounds, shape (channel,).

        Raises
        ------
        BudgetError
            When the region has further limits or no exact budget, or nothing to decide.
        """
        if region.limits or not region.exact:
            raise BudgetError("the library plans an exact budget within bounds only")
        room = region.high - region.low
        if not room.sum() > 0:
            raise BudgetError("every channel is fixed: there is nothing to plan")
        weeks = self.window.weeks
        bounds = xr.DataArray(
            np.column_stack([region.low, region.high]) / weeks,
            dims=("channel", "bound"),
            coords={"channel": self._channels, "bound": ["lower", "upper"]},
        )
        start = region.low + room * (region.budget - region.low.sum()) / room.sum()
        solved = self.optimizer.allocate_budget(
            region.budget / weeks,
            bounds,
            x0=self._labelled(start / weeks),
            return_if_fail=True,  # SLSQP calls an optimum in a corner a failure
        )
        totals = solved.budgets.sel(channel=self._channels).to_numpy() * weeks
        return np.clip(totals, region.low, region.high)

    def response(self, totals: np.ndarray) -> np.ndarray:
        """Return what channel totals bring, net of what earlier spend earns, shape (sample,)."""
        return self._all_media(totals) - self._carried_in

    def _all_media(self, totals: np.ndarray) -> np.ndarray:
        weekly = self._labelled(totals / self.window.weeks)
        return self.optimizer.evaluate_response_distribution(weekly).to_numpy()

    def _labelled(self, values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims="channel", coords={"channel": self._channels})


def _thinned(idata: xr.DataTree, draws: int | None) -> xr.DataTree:
    posterior = idata["posterior"].to_dataset()
    if draws is not None:
        step = max(1, posterior.sizes["draw"] * posterior.sizes["chain"] // draws)
        posterior = posterior.isel(draw=slice(None, None, step))
    return xr.DataTree.from_dict({"posterior": posterior})
