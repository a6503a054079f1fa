"""Build, sample, store, load and query one marketing mix model."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# One thread per chain: BLAS threads on top only fight the chains for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytensor
import xarray as xr
from pymc_extras.prior import Prior
from pymc_marketing.mmm import MMM, GeometricAdstock, LogisticSaturation

from mmm_demo.config import ModelConfig, SamplerConfig
from mmm_demo.priors import PriorConfig

PRIOR_DRAWS = 500
TRACE_GROUPS = ("posterior", "sample_stats", "constant_data", "observed_data", "fit_data")
SAMPLE_STATS = ("diverging", "energy", "depth", "maxdepth_reached", "n_steps", "step_size")
WEEKLY_TABLE = "weekly_table"
WEEK = pd.Timedelta(days=7)
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


# PyMC announces each step's variables; the pipeline says in its own words what it does.
logging.getLogger("pymc").setLevel(logging.WARNING)


class TraceError(RuntimeError):
    """A stored trace that cannot be read as one."""


def build_model(config: ModelConfig, table: pd.DataFrame) -> MMM:
    """Build a fresh model with its data.

    A model is built once per use and never reused: PyMC-Marketing silently keeps the data of the
    first build, so a second fit of one instance would train on the wrong table.

    Parameters
    ----------
    config
        Columns, lag, seasonality and priors.
    table
        Clean weekly table (see `contract.validate_table`); controls are standardised here.
    """
    channel, media = ("channel",), {}
    for name in ("adstock_alpha", "saturation_lam", "saturation_beta"):
        media[name] = _prior(config.priors[name], channel)
    noise = _prior(config.priors["y_sigma"])
    model_config = {
        "intercept": _prior(config.priors["intercept"]),
        "likelihood": Prior("Normal", sigma=noise, dims="date"),
    }
    if config.control_columns:
        model_config["gamma_control"] = _prior(config.priors["gamma_control"], ("control",))
    if config.yearly_seasonality:
        model_config["gamma_fourier"] = _prior(config.priors["gamma_fourier"], ("fourier_mode",))
    mmm = MMM(
        date_column=config.date_column,
        target_column=config.target_column,
        channel_columns=list(config.channel_columns),
        control_columns=list(config.control_columns) or None,
        yearly_seasonality=config.yearly_seasonality or None,
        adstock=GeometricAdstock(
            l_max=config.adstock_max_lag, priors={"alpha": media["adstock_alpha"]}
        ),
        saturation=LogisticSaturation(
            priors={"lam": media["saturation_lam"], "beta": media["saturation_beta"]}
        ),
        model_config=model_config,
    )
    mmm.build_model(_features(config, table, table), table[config.target_column])
    return mmm


def _prior(prior: PriorConfig, dims: tuple[str, ...] = ()) -> Prior:
    parameters = {
        name: xr.DataArray(list(value), dims=dims) if isinstance(value, tuple) else value
        for name, value in prior.parameters.items()
    }
    return Prior(prior.distribution, dims=dims, **parameters)


def _features(config: ModelConfig, weeks: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Return the model's inputs for `weeks`, controls standardised by the training weeks."""
    controls = list(config.control_columns)
    features = weeks[[config.date_column, *config.channel_columns, *controls]].copy()
    reference = training[controls]
    features[controls] = (features[controls] - reference.mean()) / reference.std(ddof=0)
    return features


def sample_prior(config: ModelConfig, table: pd.DataFrame, seed: int) -> np.ndarray:
    """Draw sales from the prior alone.

    Returns
    -------
    numpy.ndarray
        Sales in original units, shape (sample, week).
    """
    mmm = build_model(config, table)
    draws = mmm.sample_prior_predictive(
        _features(config, table, table),
        table[config.target_column],
        samples=PRIOR_DRAWS,
        random_seed=seed,
        compile_kwargs={"mode": "FAST_COMPILE"},  # 500 draws: compiling costs more than drawing
    )
    return draws["y"].transpose("sample", "date").to_numpy() * target_scale(mmm)


def target_scale(mmm: MMM) -> float:
    """Return what the target was divided by."""
    return float(mmm.scalers["_target"])


@dataclass(frozen=True)
class Sampling:
    """A fresh trace and what it took.

    Attributes
    ----------
    trace
        Slim trace: free parameters, sampler statistics and data groups.
    seconds
        Time in the sampler, without compilation.
    compile_cache
        `warm` when every kernel came from the cache, else `cold`. The same seed gives the same
        draws in every process with a warm cache; the first, cold one may differ.
    """

    trace: xr.DataTree
    seconds: float
    compile_cache: str


def sample_posterior(
    config: ModelConfig,
    table: pd.DataFrame,
    sampler: SamplerConfig,
    *,
    target_accept: float,
    progress: bool = True,
) -> Sampling:
    """Fit a fresh model by NUTS.

    Parameters
    ----------
    config, table
        Model and clean weekly table.
    sampler
        Draws, tuning draws, chains and seed.
    target_accept
        Target acceptance rate of this attempt.
    progress
        Show a progress bar.
    """
    mmm = build_model(config, table)
    before = _compiled_kernels()
    mmm.fit(
        _features(config, table, table),
        table[config.target_column],
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        random_seed=sampler.seed,
        nuts_sampler="nutpie",
        nuts={"adaptation": "low_rank", "target_accept": target_accept},
        compute_convergence_checks=False,  # the gate does that, over the stored draws
        progressbar=progress,
    )
    free = [variable.name for variable in mmm.model.free_RVs]
    return Sampling(
        trace=_slim(mmm.idata, free, table),
        seconds=float(mmm.idata.posterior.attrs["sampling_time"]),
        compile_cache="warm" if _compiled_kernels() == before else "cold",
    )


def _compiled_kernels() -> int:
    """Count the compiled kernels in PyTensor's cache."""
    return sum(1 for _ in (Path(pytensor.config.base_compiledir) / "numba").glob("*.nbc"))


def _slim(idata: xr.DataTree, free: list[str], table: pd.DataFrame) -> xr.DataTree:
    """Keep the free parameters and the data: 1 MB instead of 60, with nothing lost.

    Everything else is a function of these and is computed again when needed.
    """
    groups = {name: idata[name].to_dataset() for name in TRACE_GROUPS}
    groups["posterior"] = groups["posterior"][free]
    kept = [name for name in SAMPLE_STATS if name in groups["sample_stats"]]
    groups["sample_stats"] = groups["sample_stats"][kept]
    groups[WEEKLY_TABLE] = xr.Dataset.from_dataframe(table.rename_axis("row"))
    slim = xr.DataTree.from_dict(groups)
    slim.attrs = dict(idata.attrs)
    return slim


def save_trace(trace: xr.DataTree, path: Path) -> None:
    """Write a trace as netCDF, draws as compressed float32.

    Raises
    ------
    FileExistsError
        When there is a file already; nothing is overwritten.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists and is never overwritten")
    encoding: dict[str, dict[str, dict[str, object]]] = {}
    for group in ("posterior", "sample_stats"):
        encoding[f"/{group}"] = {
            str(name): {"zlib": True, "complevel": 4}
            | ({"dtype": "float32"} if values.dtype.kind == "f" else {})
            for name, values in trace[group].data_vars.items()
        }
    trace.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def load_trace(path: Path) -> xr.DataTree:
    """Read a stored trace whole into memory, draws as float64.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    TraceError
        When the file is not a trace of this project.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no trace at {path}")
    with path.open("rb") as file:  # h5netcdf prints a traceback of its own for any other file
        if file.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
            raise TraceError(f"{path} is not a readable netCDF trace: not an HDF5 file")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            trace = tree.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TraceError(f"{path} is not a readable netCDF trace: {error}") from None
    if missing := {"posterior", WEEKLY_TABLE} - set(trace.children):
        raise TraceError(f"{path} lacks the groups {', '.join(sorted(missing))}")
    trace["posterior"] = xr.DataTree(trace["posterior"].to_dataset().astype("float64"))
    return trace


def weekly_table(trace: xr.DataTree, config: ModelConfig) -> pd.DataFrame:
    """Return the weekly table that a trace was fitted on.

    Raises
    ------
    TraceError
        When a column of the model is not in it.
    """
    table = trace[WEEKLY_TABLE].to_dataset().to_dataframe()
    columns = [config.date_column, config.target_column]
    columns += [*config.channel_columns, *config.control_columns]
    if missing := [name for name in columns if name not in table]:
        raise TraceError(f"the stored weekly table lacks {', '.join(missing)}")
    return table[columns].reset_index(drop=True)


def table_sha256(table: pd.DataFrame) -> str:
    """Return the identity of a weekly table: sha256 over dates, column names and values."""
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(f"{name}\0".encode())
        if pd.api.types.is_datetime64_any_dtype(column):
            digest.update("\0".join(column.dt.strftime("%Y-%m-%dT%H:%M:%S")).encode())
        else:
            digest.update(np.ascontiguousarray(column.to_numpy("float64")).tobytes())
    return digest.hexdigest()


def free_parameters(config: ModelConfig) -> dict[str, int]:
    """Return the parameters that a sampled model must have, with their number of values."""
    channels = len(config.channel_columns)
    sizes = {"intercept_contribution": 1, "adstock_alpha": channels, "saturation_lam": channels}
    sizes |= {"saturation_beta": channels, "y_sigma": 1}
    if config.control_columns:
        sizes["gamma_control"] = len(config.control_columns)
    if config.yearly_seasonality:
        sizes["gamma_fourier"] = 2 * config.yearly_seasonality
    return sizes


@dataclass(frozen=True)
class Decomposition:
    """Sales taken apart, per draw and week, in original units.

    Attributes
    ----------
    channels
        Dims (sample, week, channel).
    controls
        Dims (sample, week, control); the effect against an average week.
    seasonality, baseline, mean
        Dims (sample, week); `mean` is the model's own expectation, which the parts must add up to.
    """

    channels: xr.DataArray
    controls: xr.DataArray
    seasonality: xr.DataArray
    baseline: xr.DataArray
    mean: xr.DataArray

    @property
    def non_media(self) -> xr.DataArray:
        """Sales that the model sees without any media, dims (sample, week)."""
        return self.baseline + self.seasonality + self.controls.sum("control")

    def means(self) -> pd.DataFrame:
        """Return posterior means by week; columns baseline, seasonality, controls, channels."""
        parts = {
            "baseline": self.baseline.mean("sample"),
            "seasonality": self.seasonality.mean("sample"),
            "controls": self.controls.sum("control").mean("sample"),
        }
        for name in self.channels["channel"].values:
            parts[str(name)] = self.channels.sel(channel=name).mean("sample")
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
    def mmm(self) -> MMM:
        """PyMC-Marketing's model, ready to predict and to optimize."""
        mmm = build_model(self.config, self.table)
        mmm.idata = xr.DataTree.from_dict({"posterior": self.trace["posterior"].to_dataset()})
        return mmm

    @cached_property
    def target_scale(self) -> float:
        """What sales were divided by."""
        return target_scale(self.mmm)

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
        """Run the model over contiguous weeks that start with its first; original units."""
        names = ["channel_contribution", "mu", "y"]
        names += ["control_contribution"] if self.config.control_columns else []
        names += ["yearly_seasonality_contribution"] if self.config.yearly_seasonality else []
        draws = self.mmm.sample_posterior_predictive(
            _features(self.config, weeks, self.table),
            extend_idata=False,
            combined=True,
            var_names=names,
            random_seed=seed,
            progressbar=False,
        )
        draws = draws.reset_index("sample", drop=True).rename(date="week")
        return draws.transpose("sample", "week", ...) * self.target_scale

    @property
    def weeks(self) -> np.ndarray:
        """Dates of the training weeks, shape (week,)."""
        return self.table[self.config.date_column].to_numpy()

    @property
    def observed(self) -> np.ndarray:
        """Observed sales, shape (week,)."""
        return self.table[self.config.target_column].to_numpy()

    @property
    def spend(self) -> pd.DataFrame:
        """Observed spend, shape (week, channel)."""
        return self.table[list(self.config.channel_columns)]

    def predictive(self) -> np.ndarray:
        """Return posterior predictive sales of the training weeks, shape (sample, week)."""
        return self._passes["y"].isel(week=slice(0, len(self.table))).to_numpy()

    def decompose(self) -> Decomposition:
        """Return the parts of sales in the training weeks."""
        inside = self._passes.isel(week=slice(0, len(self.table)))
        nothing = xr.zeros_like(inside["mu"])
        intercept = self.trace["posterior"]["intercept_contribution"].to_numpy().reshape(-1)
        return Decomposition(
            channels=inside["channel_contribution"],
            controls=inside.get("control_contribution", nothing.expand_dims(control=["none"])),
            seasonality=inside.get("yearly_seasonality_contribution", nothing),
            baseline=nothing + xr.DataArray(intercept * self.target_scale, dims="sample"),
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
        spend = xr.DataArray(self.spend.sum().to_numpy(), dims="channel")
        return self._passes["channel_contribution"].sum("week") / spend

    def adstock_weights(self) -> xr.DataArray:
        """Return the share of a week's spend that works at each lag; (sample, lag, channel)."""
        alpha = self._flat("adstock_alpha")
        lag = xr.DataArray(np.arange(self.config.adstock_max_lag), dims="lag")
        weights = alpha**lag
        return (weights / weights.sum("lag")).transpose("sample", "lag", "channel")

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
        scaled = xr.DataArray(spend / top, dims=("point", "channel"))
        reached = np.exp(-self._flat("saturation_lam") * scaled)
        response = self._flat("saturation_beta") * (1 - reached) / (1 + reached)
        return spend, (response * self.target_scale).transpose("sample", "point", "channel")

    def _flat(self, name: str) -> xr.DataArray:
        stacked = self.trace["posterior"][name].stack(sample=("chain", "draw"))
        return stacked.reset_index("sample", drop=True).drop_vars("channel")

    def predict(self, weeks: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """Predict sales.

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
        run = self._run(pd.concat([history, wanted], ignore_index=True), seed)
        sales = run["y"].isel(week=slice(len(history), None)).to_numpy()
        return pd.DataFrame({date: wanted[date].to_numpy()} | interval(sales))

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
        if bad := [name for name in columns if not np.isfinite(wanted[name]).all()]:
            raise ValueError(f"the weeks to predict have empty or infinite {', '.join(bad)}")
        if bad := [name for name in self.config.channel_columns if (wanted[name] < 0).any()]:
            raise ValueError(f"the weeks to predict have negative spend in {', '.join(bad)}")
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
