"""What a fitted model says: decomposition, ROAS, curves and predictions in original units."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import as_written, lift_table, renamed, weekly_table
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.wording import span
from mmm_demo.tables.faults import judged

# The library behind `model` takes seconds to import. Whoever only loads a champion and plans with
# its `response` never pays them, so the methods that run the library import it themselves.
if TYPE_CHECKING:
    from mmm_demo.fits.build import MMM

WEEK = pd.Timedelta(days=7)


@dataclass(frozen=True)
class Decomposition:
    """Sales taken apart, per draw and week, in original units.

    Attributes
    ----------
    channels
        Dims (sample, week, channel).
    controls
        Dims (sample, week, control); the effect against an average week.
    events
        Dims (sample, week, event); what each event adds.
    seasonality, baseline, mean
        Dims (sample, week); `mean` is the model's own expectation, which the parts must add up to.
    """

    channels: xr.DataArray
    controls: xr.DataArray
    events: xr.DataArray
    seasonality: xr.DataArray
    baseline: xr.DataArray
    mean: xr.DataArray

    @property
    def non_media(self) -> xr.DataArray:
        """Sales that the model sees without any media, dims (sample, week)."""
        return (
            self.baseline
            + self.seasonality
            + self.controls.sum("control")
            + self.events.sum("event")
        )

    def means(self) -> pd.DataFrame:
        """Return posterior means by week; columns baseline, seasonality, controls, channels.

        Events have a column where there are any.
        """
        parts = {
            "baseline": self.baseline.mean("sample"),
            "seasonality": self.seasonality.mean("sample"),
            "controls": self.controls.sum("control").mean("sample"),
        }
        if self.events.sizes["event"]:
            parts["events"] = self.events.sum("event").mean("sample")
        for channel in self.channels["channel"].values:
            name = f"{channel} (channel)" if str(channel) in parts else str(channel)
            parts[name] = self.channels.sel(channel=channel).mean("sample")
        return pd.DataFrame({name: part.to_numpy() for name, part in parts.items()})


@dataclass(frozen=True)
class FittedModel:
    """A model with its posterior, rebuilt from its own config and the arrays of a trace.

    Nothing but arrays is taken from the trace: no code, no name of a function.
    """

    config: ModelConfig
    trace: xr.DataTree

    @cached_property
    def table(self) -> pd.DataFrame:
        """Weekly table that the model was fitted on."""
        return weekly_table(self.trace, self.config)

    @cached_property
    def lift_tests(self) -> pd.DataFrame | None:
        """Lift tests that calibrated the model, through its draws; predictions need none."""
        return lift_table(self.trace)

    @cached_property
    def mmm(self) -> "MMM":
        """PyMC-Marketing's model, ready to predict."""
        from mmm_demo.fits.build import build_model, inside

        mmm = build_model(self.config, self.table)
        draws = renamed(self.trace["posterior"].to_dataset(), self.config, inside)
        mmm.idata = xr.DataTree.from_dict({"posterior": draws})
        return mmm

    @cached_property
    def response(self) -> Response:
        """The same model in NumPy: its mean for any spend and weeks."""
        scaling = self.config.scaling or scaling_of(self.config, self.table)
        return Response(self.config, scaling, self.trace["posterior"].to_dataset(), self.table)

    @cached_property
    def target_scale(self) -> float:
        """What sales were divided by."""
        return self.response.scaling.target

    @cached_property
    def _passes(self) -> xr.Dataset:
        """The model run over its own weeks and the weeks of carryover after them.

        The weeks after the data have no spend, so what media earns there is carryover. One run of
        the model gives the decomposition, the carryover and the predictive draws.
        """
        after = pd.DataFrame([self.table.iloc[-1]] * self.config.adstock_max_lag)
        after[list(self.config.channel_columns)] = 0.0
        last = self.table[self.config.date_column].iloc[-1]
        after[self.config.date_column] = [last + WEEK * (i + 1) for i in range(len(after))]
        return self._run(pd.concat([self.table, after], ignore_index=True), seed=0)

    def _run(self, weeks: pd.DataFrame, seed: int) -> xr.Dataset:
        """Run the model over contiguous weeks that start with its first; original units.

        Sales (`y`) are drawn where no week says anything of the next: the library knows of no
        sales but those that it was built with.
        """
        from mmm_demo.fits.build import features

        names = ["channel_contribution", "mu"]
        names += ["y"] if self._independent else []
        names += ["control_contribution"] if self.config.control_columns else []
        names += [self._season] if self.config.yearly_seasonality else []
        draws = self.mmm.sample_posterior_predictive(
            features(self.config, weeks, self.table),
            extend_idata=False,
            combined=True,
            var_names=names,
            random_seed=seed,
            progressbar=False,
        )
        draws = as_written(draws, self.config).reset_index("sample", drop=True).rename(date="week")
        return draws.transpose("sample", "week", ...) * self.target_scale

    @property
    def _independent(self) -> bool:
        return self.config.form("noise").independent

    @property
    def _season(self) -> str:
        return self.config.form("seasonality").contribution

    @property
    def weeks(self) -> np.ndarray:
        """Dates of the training weeks, shape (week,)."""
        return self.table[self.config.date_column].to_numpy()

    @property
    def span(self) -> str:
        """First and last training week and their number, in words."""
        return f"{span([*pd.to_datetime(self.weeks)])}, {len(self.weeks)} weeks"

    @property
    def observed(self) -> np.ndarray:
        """Observed sales, shape (week,)."""
        return self.table[self.config.target_column].to_numpy()

    @property
    def spend(self) -> pd.DataFrame:
        """Observed spend, shape (week, channel)."""
        return self.table[list(self.config.channel_columns)]

    def predictive(self) -> np.ndarray:
        """Return posterior predictive sales of the training weeks, shape (sample, week).

        Each week is drawn given the sales of the weeks before it; where residuals do not hang
        together, these say nothing.
        """
        inside = self._passes.isel(week=slice(0, len(self.table)))
        if self._independent:
            return inside["y"].to_numpy()
        return self.response.predictive(inside["mu"].to_numpy(), np.random.default_rng(0))

    def decompose(self) -> Decomposition:
        """Return the parts of sales in the training weeks."""
        inside = self._passes.isel(week=slice(0, len(self.table)))
        nothing = xr.zeros_like(inside["mu"])
        baseline = self.response.baseline(self.table)
        return Decomposition(
            channels=inside["channel_contribution"],
            controls=inside.get("control_contribution", nothing.expand_dims(control=["none"])),
            events=self.response.events(self.table),
            seasonality=inside.get(self._season, nothing),
            baseline=nothing + xr.DataArray(baseline, dims=("sample", "week")),
            mean=inside["mu"],
        )

    def roas(self) -> xr.DataArray:
        """Return incremental ROAS: sales that all spend brought, carryover included, per unit.

        Contributions add up and no spend gives no contribution, so switching a channel off takes
        away exactly its contribution.

        Returns
        -------
        xarray.DataArray
            Dims (sample, channel), sales units per spend unit.
        """
        return self._roas

    @cached_property
    def _roas(self) -> xr.DataArray:
        spend = xr.DataArray(self.spend.sum().to_numpy(), dims="channel")
        return self._passes["channel_contribution"].sum("week") / spend

    def adstock_weights(self) -> xr.DataArray:
        """Return the share of a week's spend that works at each lag; (sample, lag, channel)."""
        return xr.DataArray(self.response.weights, dims=("sample", "lag", "channel"))

    def saturation(self, points: int = 60) -> tuple[np.ndarray, xr.DataArray]:
        """Return weekly response to a steady weekly spend.

        Returns
        -------
        spend
            From nothing to the largest weekly spend, shape (point, channel).
        response
            Sales per week, dims (sample, point, channel).
        """
        top = self.spend.max().to_numpy()
        spend = np.linspace(0.0, 1.0, points)[:, None] * top
        response = self.response.saturated(spend[None] / np.array(self.response.scaling.channels))
        return spend, xr.DataArray(
            response * self.target_scale, dims=("sample", "point", "channel")
        )

    def predict(self, weeks: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """Predict sales, given those of the weeks before the first one.

        Parameters
        ----------
        weeks
            Date, spend and controls by week; inside the training weeks or following them without
            a gap, so that carryover from earlier spend is known.
        seed
            Of the predictive draws.

        Returns
        -------
        pandas.DataFrame
            Columns date, `mean`, `lower_94`, `upper_94`, in sales units.

        Raises
        ------
        ValueError
            When a column is missing, a value is not finite, or the weeks leave a gap.
        """
        wanted = self._check_prediction_weeks(weeks)
        date = self.config.date_column
        history = self.table[self.table[date] < wanted[date].min()]
        weeks = pd.concat([history, wanted], ignore_index=True)
        if self._independent:
            sales = self._run(weeks, seed)["y"].isel(week=slice(len(history), None)).to_numpy()
        else:
            rng = np.random.default_rng(seed)
            sales = self.response.forecast(weeks, rng, known=len(history))
        predicted = pd.DataFrame(interval(sales))
        predicted.insert(0, date, wanted[date].to_numpy(), allow_duplicates=True)
        return predicted

    def _check_prediction_weeks(self, weeks: pd.DataFrame) -> pd.DataFrame:
        date, columns = self.config.date_column, list(self.config.channel_columns)
        columns += self.config.control_columns
        if missing := [name for name in (date, *columns) if name not in weeks]:
            raise ValueError(f"the weeks to predict lack {', '.join(missing)}")
        wanted = weeks[[date, *columns]].copy()
        wanted[date] = pd.to_datetime(wanted[date])
        if wanted[date].isna().any() or wanted[date].dt.tz is not None:
            raise ValueError(f"the weeks to predict have an empty {date} or one with a time zone")
        wanted = wanted.sort_values(date, ignore_index=True)
        wanted[columns] = wanted[columns].astype("float64")
        channels = self.config.channel_columns
        judges = {
            "empty or infinite": lambda values: not np.isfinite(values).all(),
            "negative spend in": lambda values: values.name in channels and (values < 0).any(),
        }
        if found := judged(wanted[columns], judges):
            raise ValueError(f"the weeks to predict have {'; '.join(found)}")
        first, last = self.weeks[0], pd.Timestamp(self.weeks[-1])
        steps = wanted[date].diff().dropna()
        follows = pd.Timestamp(wanted[date].min()) - last
        if wanted.empty or wanted[date].min() < first or follows > WEEK or (steps != WEEK).any():
            raise ValueError(
                "weeks to predict must be 7 days apart, start no earlier than "
                f"{pd.Timestamp(first):%Y-%m-%d} and leave no gap after {last:%Y-%m-%d}; "
                f"got {', '.join(f'{day:%Y-%m-%d}' for day in wanted[date].head(3))} ..."
            )
        if (follows % WEEK) != pd.Timedelta(0):
            raise ValueError(f"weeks to predict must start on a {last:%A}, as the data do")
        return wanted


def interval(draws: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return mean and 94 % interval over the first axis."""
    lower, upper = np.quantile(draws, [0.03, 0.97], axis=0)
    return {"mean": draws.mean(axis=0), "lower_94": lower, "upper_94": upper}
