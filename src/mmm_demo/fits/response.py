"""The model's mean, evaluated in NumPy for all draws at once: fast, and needs no compilation.

The tests hold it to PyMC-Marketing's own graph. Where something hangs on the model having no part
that is unknown here (the decomposition that must add up), `fitted` asks the library instead.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.forms.kinds import BLOCK, INTERCEPT, Frame, Noise, carried, short
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig


def scaling_of(config: ModelConfig, table: pd.DataFrame) -> ScalingConfig:
    """Return the scaling that a table gives by itself: its largest sale and spends."""
    spend = table[list(config.channel_columns)].max()
    return ScalingConfig(float(table[config.target_column].max()), tuple(map(float, spend)))


def standardised(controls: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Return controls in standard deviations from their training mean.

    A control that is constant in training stays at zero there: its effect is then its prior.
    """
    spread = training.std(ddof=0).where(training.nunique() > 1, 1.0)  # rounding leaves some spread
    return (controls - training.mean()) / spread


def frame_of(config: ModelConfig, training: pd.DataFrame) -> Frame:
    """Return what the additive terms of a model hang on beside the date."""
    calendar = tuple(
        (time.name, np.datetime64(time.start, "D"), np.datetime64(time.end, "D"))
        for time in config.calendar
    )
    return Frame(days(config, training), config.yearly_seasonality, calendar)


def days(config: ModelConfig, weeks: pd.DataFrame) -> np.ndarray:
    """Return the dates of weeks, shape (week,)."""
    return weeks[config.date_column].to_numpy().astype("datetime64[D]")


@dataclass(frozen=True)
class Response:
    """A model with draws of its parameters.

    Attributes
    ----------
    config
        Columns, lag, adstock, saturation and seasonality.
    scaling
        What sales and spend are divided by.
    posterior
        Free parameters, dims (chain, draw, ...).
    training
        Weekly table that standardises the controls.
    """

    config: ModelConfig
    scaling: ScalingConfig
    posterior: xr.Dataset
    training: pd.DataFrame

    def draws(self, name: str) -> np.ndarray:
        """Return a parameter's draws, shape (sample,) or (sample, item)."""
        values = self.posterior[name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(-1, *values.shape[2:])

    @cached_property
    def weights(self) -> np.ndarray:
        """Share of a week's spend that works at each lag, shape (sample, lag, channel)."""
        form = self.config.form("adstock")
        return form.shares(self.config.adstock_max_lag, **form.pick(self.draws))

    @cached_property
    def rate(self) -> np.ndarray:
        """What scaled spend is multiplied by before it saturates, shape (sample, channel)."""
        return self.config.form("saturation").rate(self.draws)

    @cached_property
    def height(self) -> np.ndarray:
        """What a saturation of 1 brings, in scaled sales, shape (sample, channel)."""
        return self.config.form("saturation").height(self.draws)

    @cached_property
    def bend(self) -> dict[str, np.ndarray]:
        """Further parameters of the saturation curve, shape (sample, channel)."""
        return self.config.form("saturation").bend(self.draws)

    def saturated(self, scaled: np.ndarray, draws: slice = slice(None)) -> np.ndarray:
        """Return the response to adstocked spend, both scaled; last axes (..., channel).

        Parameters
        ----------
        scaled
            Shape (sample or 1, point, channel).
        draws
            Samples for which it is asked.
        """
        form, rate, height = self.config.form("saturation"), self.rate[draws], self.height[draws]
        bend = {name: value[draws][..., None, :] for name, value in self.bend.items()}
        return height[..., None, :] * form.curve(rate[..., None, :] * scaled, **bend)

    def contributions(self, spend: np.ndarray) -> np.ndarray:
        """Return what media bring in contiguous weeks with nothing before them.

        Parameters
        ----------
        spend
            Money, shape (week, channel).

        Returns
        -------
        numpy.ndarray
            Sales units, shape (sample, week, channel).
        """
        found = carried(spend / np.array(self.scaling.channels), self.weights)
        for start in range(0, len(found), BLOCK):  # in place: it is the largest array of all
            draws = slice(start, start + BLOCK)
            found[draws] = self.saturated(found[draws], draws) * self.scaling.target
        return found

    def others(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return baseline, controls, seasonality and events together, sales units.

        Returns
        -------
        numpy.ndarray
            Shape (sample, week).
        """
        parts = [self.draws(INTERCEPT.variable)[:, None], self._coefficients("baseline")]
        parts += [self.draws("gamma_control")] if self.config.control_columns else []
        parts += [self._coefficients("seasonality")] if self.config.yearly_seasonality else []
        parts += [self._coefficients("event_effects")] if self.config.calendar else []
        basis = np.hstack([np.ones((len(weeks), 1)), self.design(weeks)])
        return np.hstack(parts) @ basis.T * self.scaling.target

    def baseline(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return the baseline, sales units, shape (sample, week)."""
        moves = self._coefficients("baseline") @ self._basis("baseline", weeks).T
        return (self.draws(INTERCEPT.variable)[:, None] + moves) * self.scaling.target

    def events(self, weeks: pd.DataFrame) -> xr.DataArray:
        """Return what each event adds, sales units, dims (sample, week, event); none without."""
        effects, names = np.empty((len(self.draws(INTERCEPT.variable)), 0)), self._frame.events
        basis = np.empty((len(weeks), 0))
        if names:
            effects = self._coefficients("event_effects")
            basis = self._basis("event_effects", weeks)
        added = effects[:, None, :] * basis * self.scaling.target
        return xr.DataArray(added, dims=("sample", "week", "event"), coords={"event": [*names]})

    def design(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return what moves the baseline, standardised controls, the yearly basis and events.

        Returns
        -------
        numpy.ndarray
            Shape (week, variable).
        """
        parts = [self._basis("baseline", weeks)]
        if controls := list(self.config.control_columns):
            parts.append(standardised(weeks[controls], self.training[controls]).to_numpy())
        if self.config.yearly_seasonality:
            parts.append(self._basis("seasonality", weeks))
        if self.config.calendar:
            parts.append(self._basis("event_effects", weeks))
        return np.hstack(parts)

    def _coefficients(self, kind: str) -> np.ndarray:
        form = self.config.form(kind)
        return form.coefficients(**form.pick(self.draws))

    def _basis(self, kind: str, weeks: pd.DataFrame) -> np.ndarray:
        return self.config.form(kind).basis(days(self.config, weeks), self._frame)

    @cached_property
    def _frame(self) -> Frame:
        return frame_of(self.config, self.training)

    def mean(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return expected sales of contiguous weeks, shape (sample, week)."""
        spend = weeks[list(self.config.channel_columns)].to_numpy()
        return self.others(weeks) + self.contributions(spend).sum(axis=2)

    def sales(self, weeks: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        """Draw sales of contiguous weeks of which none is known, shape (sample, week)."""
        return self._law.draw(self.mean(weeks), rng, **self._by_week)

    def forecast(
        self, weeks: pd.DataFrame, rng: np.random.Generator, known: int | None = None
    ) -> np.ndarray:
        """Draw sales of weeks given those before them.

        Parameters
        ----------
        weeks
            Contiguous; those before them from which spend still works may lead.
        rng
            Of the draws.
        known
            So many of the training weeks are known; all by default.

        Returns
        -------
        numpy.ndarray
            Of the weeks after the last known one, shape (sample, week).
        """
        past = self.training.head(len(self.training) if known is None else known)
        if past.empty:
            return self.sales(weeks, rng)
        date, target = self.config.date_column, self.config.target_column
        after = (weeks[date] > past[date].iloc[-1]).to_numpy()
        if self._law.independent or not after.any():
            return self.sales(weeks, rng)[:, after]
        left = past[target].iloc[-1] - self.mean(past)[:, -1:]
        gap = (weeks.loc[after, date].iloc[0] - past[date].iloc[-1]).days // 7 - 1
        mean = np.pad(self.mean(weeks)[:, after], ((0, 0), (gap, 0)))
        return self._law.draw_after(left, mean, rng, **self._by_week)[:, gap:]

    def predictive(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw sales of each training week given those before it; shape of `mean`."""
        return self._law.draw_each(self._observed, mean, rng, **self._by_week)

    def expected(self, mean: np.ndarray) -> np.ndarray:
        """Return the mean of each training week given the sales before it; shape of `mean`."""
        return self._law.expected(self._observed, mean, **self._by_week)

    def innovations(self, series: np.ndarray) -> np.ndarray:
        """Return what is new in each training week, by the mean parameters of the noise.

        Parameters
        ----------
        series
            Residuals, or what explains them; the first weeks, shape (week, ...).
        """
        parameters = {name: value.mean()[None] for name, value in self._noise.items()}
        return np.moveaxis(self._law.innovations(np.moveaxis(series, 0, -1), **parameters), -1, 0)

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation of a week's noise, sales units, shape (sample,)."""
        return self._law.spread(**self._noise)

    def log_density(self, mean: np.ndarray) -> np.ndarray:
        """Return the log density of each training week's sales given those before it.

        Parameters
        ----------
        mean
            Of the training weeks, shape (sample, week).
        """
        return self._law.log_density(self._observed, mean, **self._by_week)

    @property
    def _law(self) -> Noise:
        return self.config.form("noise")

    @property
    def _observed(self) -> np.ndarray:
        return self.training[self.config.target_column].to_numpy()

    @property
    def _by_week(self) -> dict[str, np.ndarray]:
        return {name: value[:, None] for name, value in self._noise.items()}

    @cached_property
    def _noise(self) -> dict[str, np.ndarray]:
        """Parameters of the noise, amounts in sales units, shape (sample,)."""
        form, scale = self.config.form("noise"), self.scaling.target
        units = {short(item.name): scale if item.in_sales else 1.0 for item in form.parameters}
        return {name: value * units[name] for name, value in form.pick(self.draws).items()}

    def roas(self, spend: np.ndarray) -> np.ndarray:
        """Return incremental ROAS, carryover after the last week included, (sample, channel)."""
        after = np.zeros((self.config.adstock_max_lag, spend.shape[1]))
        return self.contributions(np.vstack([spend, after])).sum(axis=1) / spend.sum(axis=0)

    def incremental(self, history: np.ndarray, window: np.ndarray) -> np.ndarray:
        """Return what spend in a window brings, carryover after it included.

        Net of what earlier spend still earns in the window, which saturates it.

        Parameters
        ----------
        history, window
            Money in the weeks before and in the window, shape (week, channel).

        Returns
        -------
        numpy.ndarray
            Sales units, shape (sample, channel).
        """
        lag = self.config.adstock_max_lag
        before, after = history[-lag:], np.zeros((lag, window.shape[1]))
        planned = self.contributions(np.vstack([before, window, after]))
        nothing = self.contributions(np.vstack([before, 0 * window, after]))
        return (planned - nothing).sum(axis=1)
