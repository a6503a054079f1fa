"""The model against PyMC-Marketing itself, against the known truth, and as it is stored."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from pymc.testing import mock_sample
from pymc_marketing.mmm import MMM
from pytensor.xtensor import as_xtensor

from conftest import Demo
from helpers import PYTHON
from mmm_demo import tables
from mmm_demo.config import GateConfig, ModelConfig, SamplerConfig
from mmm_demo.diagnostics import decomposition_check, prior_check
from mmm_demo.fitted import FittedModel
from mmm_demo.model import build_model, sample_posterior, sample_prior, target_scale
from mmm_demo.simulate import simulate_market
from mmm_demo.trace import (
    SAMPLE_STATS,
    TRACE_GROUPS,
    WEEKLY_TABLE,
    TraceError,
    free_parameters,
    load_trace,
    save_trace,
    table_sha256,
    weekly_table,
)

WEEK = pd.Timedelta(days=7)
MAX_TRACE_BYTES = 1_200_000
LIBRARY_DEFAULTS = {
    "intercept": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "saturation_beta": {"distribution": "HalfNormal", "sigma": 2},
    "gamma_control": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "gamma_fourier": {"distribution": "Laplace", "mu": 0, "b": 1},
    "y_sigma": {"distribution": "HalfNormal", "sigma": 2},
}


def thinned(trace: xr.DataTree, step: int = 100) -> dict[str, xr.Dataset]:
    """Return the groups of a trace with every `step`-th draw, free to be changed."""
    few = trace.isel(draw=slice(None, None, step))
    return {name: few[name].to_dataset().copy(deep=True) for name in few.children}


def to_tree(groups: dict[str, xr.Dataset], trace: xr.DataTree) -> xr.DataTree:
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(trace.attrs)
    return tree


@pytest.fixture(scope="session")
def thin(fitted: FittedModel) -> FittedModel:
    """The demo model with 80 draws, for comparisons that hold draw by draw."""
    return FittedModel(fitted.config, to_tree(thinned(fitted.trace), fitted.trace))


@pytest.fixture(scope="session")
def library(demo: Demo) -> MMM:
    """What PyMC-Marketing itself makes of the stored trace."""
    return MMM.load(demo.files / "trace.nc")


def following(fitted: FittedModel, weeks: int, spend: float) -> pd.DataFrame:
    """Return weeks after the data, with the last week's controls and one spend for all."""
    config = fitted.config
    table = pd.DataFrame([fitted.table.iloc[-1]] * weeks)
    last = pd.Timestamp(fitted.weeks[-1])
    table[config.date_column] = [last + WEEK * (i + 1) for i in range(weeks)]
    table[list(config.channel_columns)] = spend
    return table.drop(columns=config.target_column).reset_index(drop=True)


def assert_close(ours: Any, theirs: Any, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-9)


# Build


def sampled_sizes(config: ModelConfig, table: pd.DataFrame) -> dict[str, int]:
    """Return the number of values of each parameter that PyMC would sample."""
    built = build_model(config, table).model
    shapes = built.eval_rv_shapes()
    return {item.name: int(np.prod(shapes[item.name])) for item in built.free_RVs}


def test_each_build_is_a_model_of_its_own(fitted):
    first, second = (build_model(fitted.config, fitted.table) for _ in range(2))
    assert first is not second
    assert first.model is not second.model
    halved = fitted.table.assign(Sales=fitted.table["Sales"] / 2)
    assert target_scale(build_model(fitted.config, halved)) == target_scale(first) / 2


def test_controls_are_standardised_by_the_training_weeks(fitted):
    stored = fitted.trace["fit_data"].to_dataset()
    for name in fitted.config.control_columns:
        values = stored[name].to_numpy()
        assert values.mean() == pytest.approx(0, abs=1e-12)
        assert values.std() == pytest.approx(1)
        raw = fitted.table[name].to_numpy()
        assert values == pytest.approx((raw - raw.mean()) / raw.std())
    spend = stored[list(fitted.config.channel_columns)].to_dataframe()
    assert (spend.to_numpy() == fitted.spend.to_numpy()).all()


def test_the_model_has_exactly_the_parameters_that_the_gate_judges(fitted):
    sizes = sampled_sizes(fitted.config, fitted.table)
    assert sizes == free_parameters(fitted.config)
    assert set(fitted.trace["posterior"].data_vars) == set(sizes)


@pytest.mark.parametrize("controls", [(), ("Trend",)])
@pytest.mark.parametrize("modes", [0, 1])
def test_parameters_follow_controls_and_seasonality(fitted, controls, modes):
    config = ModelConfig(
        channel_columns=("TV",), control_columns=controls, yearly_seasonality=modes
    )
    assert sampled_sizes(config, fitted.table) == free_parameters(config)


def test_a_prior_with_a_value_per_channel_reaches_the_model(fitted):
    sigma = [0.1, 0.2, 0.3, 0.4]
    prior = {"distribution": "HalfNormal", "sigma": sigma, "rationale": "spend shares"}
    config = ModelConfig(
        channel_columns=fitted.config.channel_columns, priors={"saturation_beta": prior}
    )
    beta = build_model(config, fitted.table).model["saturation_beta"]
    draws = pm.draw(beta, 4000, random_seed=1)
    assert draws.std(axis=0) == pytest.approx(np.array(sigma) * np.sqrt(1 - 2 / np.pi), rel=0.1)


def test_a_model_without_controls_and_seasonality_goes_all_the_way(fitted, tmp_path):
    config = ModelConfig(channel_columns=("TV", "Radio"), yearly_seasonality=0, adstock_max_lag=3)
    table = fitted.table[["Week", "Sales", "TV", "Radio"]]
    groups = thinned(fitted.trace)
    posterior = groups["posterior"].drop_dims(["control", "fourier_mode"])
    posterior = posterior.sel(channel=["TV", "Radio"])
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    small = FittedModel(
        config, xr.DataTree.from_dict({"posterior": posterior, WEEKLY_TABLE: weekly})
    )
    parts = small.decompose()
    assert decomposition_check(parts).passed
    assert float(abs(parts.controls).max()) == 0
    assert float(abs(parts.seasonality).max()) == 0
    assert small.roas().sizes == {"sample": 80, "channel": 2}
    assert len(small.predict(following(small, 2, 1000.0))) == 2


# Prior gate


def test_the_project_priors_pass_the_prior_gate_and_the_library_defaults_fail(fitted):
    table, config = fitted.table, fitted.config
    observed = fitted.observed
    ours = prior_check(sample_prior(config, table, seed=1), observed, GateConfig())
    assert ours.passed
    assert ours.value < 0.1
    priors = {
        name: prior | {"rationale": "PyMC-Marketing's default"}
        for name, prior in LIBRARY_DEFAULTS.items()
    }
    wide = ModelConfig(
        channel_columns=config.channel_columns,
        control_columns=config.control_columns,
        priors=priors,
    )
    theirs = prior_check(sample_prior(wide, table, seed=1), observed, GateConfig())
    assert not theirs.passed
    assert theirs.value > 0.2


# Fit


def test_every_channels_true_roas_lies_inside_its_interval(fitted):
    truth = simulate_market(1, 156).truth
    table = tables.truth_table(fitted, fitted.decompose(), truth)
    missed = table.loc[~table["inside"], ["channel", "quantity", "truth", "lower_94", "upper_94"]]
    assert missed.empty, f"missed:\n{missed.to_string()}"


def test_adstock_and_saturation_rates_are_recovered(fitted):
    truth = simulate_market(1, 156).truth
    true = pd.DataFrame(
        {"adstock_alpha": truth.adstock_alpha, "saturation_lam": truth.saturation_lam}
    )
    for name in true:
        draws = fitted.trace["posterior"][name].to_numpy().reshape(-1, len(true))
        lower, upper = np.quantile(draws, [0.03, 0.97], axis=0)
        missed = true.index[~true[name].between(lower, upper)]
        assert missed.empty, f"{name} of {', '.join(missed)} is outside its interval"


def test_sampling_passes_the_settings_on_and_keeps_what_is_sampled(fitted, monkeypatch):
    seen: dict[str, Any] = {}

    def sample(**settings: Any) -> xr.DataTree:
        seen.update(settings)
        stats = {"diverging": np.zeros, "energy": np.ones, "unwanted": np.ones}
        drawn = mock_sample(sample_stats=stats, **settings)  # draws of the prior
        drawn["posterior"].attrs["sampling_time"] = 1.5
        return drawn

    monkeypatch.setattr(pm, "sample", sample)
    sampler = SamplerConfig(draws=60, tune=70, chains=3, seed=9)
    done = sample_posterior(fitted.config, fitted.table, sampler, target_accept=0.97)
    assert (seen["draws"], seen["tune"], seen["chains"]) == (60, 70, 3)
    assert (seen["random_seed"], seen["nuts_sampler"]) == (9, "nutpie")
    assert seen["nuts"] == {"adaptation": "low_rank", "target_accept": 0.97}
    assert done.seconds == 1.5
    assert set(done.trace.children) == {*TRACE_GROUPS, WEEKLY_TABLE}
    assert set(done.trace["posterior"].data_vars) == set(free_parameters(fitted.config))
    assert set(done.trace["sample_stats"].data_vars) == {"diverging", "energy"}
    trained_on = done.trace["fit_data"]["Sales"].to_numpy()
    assert (trained_on == fitted.observed).all()


SAMPLE = """
import hashlib, json, sys
from mmm_demo.config import SamplerConfig, load_experiment
from mmm_demo.model import sample_posterior
from mmm_demo.simulate import simulate_market

experiment = load_experiment(sys.argv[1])
table = simulate_market(experiment.data.seed, experiment.data.weeks).table
sampler = SamplerConfig(draws=200, tune=200, chains=2, seed=3)
done = sample_posterior(
    experiment.model, table, sampler, target_accept=0.9, progress=False
)
digest = hashlib.sha256()
for name, values in sorted(done.trace["posterior"].data_vars.items()):
    digest.update(name.encode() + values.to_numpy().tobytes())
print(json.dumps({"sha256": digest.hexdigest(), "cache": done.compile_cache}))
"""


def sample_in_two_processes(experiment: Path, environment: dict[str, str]) -> list[dict]:
    command = [PYTHON, "-c", SAMPLE, str(experiment)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    return [json.loads(answer.splitlines()[-1]) for answer in answers]


def test_the_same_seed_gives_the_same_draws_in_two_processes(demo, user_environment):
    # The session's fit has compiled this model; where its kernels differ, the first pair does.
    experiment, warm = demo.root / "experiments" / "demo.yaml", []
    for _ in range(3):
        done = sample_in_two_processes(experiment, user_environment)
        warm += [item["sha256"] for item in done if item["cache"] == "warm"]
        if len(warm) >= 2:
            break
    assert len(warm) >= 2, "no two processes found the compile cache warm"
    assert len(set(warm)) == 1


# The stored trace


def test_the_stored_trace_is_slim_and_reads_back_equal(demo, fitted, tmp_path):
    stored = demo.files / "trace.nc"
    assert stored.stat().st_size < MAX_TRACE_BYTES
    again = tmp_path / "again.nc"
    save_trace(fitted.trace, again)
    xr.testing.assert_identical(load_trace(again), fitted.trace)
    assert {str(values.dtype) for values in fitted.trace["posterior"].values()} == {"float64"}


def test_nothing_but_precision_is_lost_on_disk(fitted, tmp_path):
    groups = thinned(fitted.trace, 1)
    fine = groups["posterior"] + 1e-12  # more digits than float32 holds
    path = tmp_path / "trace.nc"
    save_trace(to_tree(groups | {"posterior": fine}, fitted.trace), path)
    reread = load_trace(path)
    xr.testing.assert_equal(reread["posterior"].to_dataset(), fine.astype("f4").astype("f8"))
    for name in (*TRACE_GROUPS[2:], WEEKLY_TABLE):
        xr.testing.assert_identical(reread[name].to_dataset(), fitted.trace[name].to_dataset())


def test_the_trace_keeps_the_table_as_it_was_given(demo, fitted):
    table = simulate_market(1, 156).table
    pd.testing.assert_frame_equal(
        weekly_table(fitted.trace, demo.experiment.model),
        table[fitted.table.columns].astype({"Week": "datetime64[ns]"}),
    )


def test_a_trace_is_never_overwritten(fitted, tmp_path):
    path = tmp_path / "trace.nc"
    path.write_bytes(b"someone's fit")
    with pytest.raises(FileExistsError, match=r"trace\.nc exists and is never overwritten"):
        save_trace(fitted.trace, path)
    assert path.read_bytes() == b"someone's fit"


@pytest.mark.parametrize("content", [b"", b"no netCDF", b"CDF\x01" + bytes(200)])
def test_a_file_that_is_no_trace_is_named(tmp_path, content):
    path = tmp_path / "trace.nc"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"trace\.nc is not a readable netCDF trace"):
        load_trace(path)


# h5netcdf's own clean-up stumbles over the file that it could not open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_a_trace_that_was_cut_off_is_named(demo, tmp_path, share):
    whole = (demo.files / "trace.nc").read_bytes()
    path = tmp_path / "trace.nc"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(TraceError, match="is not a readable netCDF trace"):
        load_trace(path)


def test_a_trace_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no trace at .*trace\.nc"):
        load_trace(tmp_path / "trace.nc")


@pytest.mark.parametrize("lost", ["posterior", WEEKLY_TABLE])
def test_a_trace_without_a_needed_group_is_refused(fitted, tmp_path, lost):
    groups = thinned(fitted.trace)
    del groups[lost]
    path = tmp_path / "trace.nc"
    xr.DataTree.from_dict(groups).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(TraceError, match=f"lacks the groups {lost}"):
        load_trace(path)


def test_a_stored_table_without_a_column_of_the_model_is_refused(fitted):
    groups = thinned(fitted.trace)
    groups[WEEKLY_TABLE] = groups[WEEKLY_TABLE].drop_vars("Radio")
    with pytest.raises(TraceError, match="the stored weekly table lacks Radio"):
        weekly_table(xr.DataTree.from_dict(groups), fitted.config)


def test_xarray_and_arviz_open_the_trace_without_the_project(demo, fitted):
    path = demo.files / "trace.nc"
    with xr.open_datatree(path, engine="h5netcdf") as plain:
        assert set(plain.children) == {*TRACE_GROUPS, WEEKLY_TABLE}
        assert set(plain["sample_stats"].data_vars) <= set(SAMPLE_STATS)
        assert plain["posterior"].sizes["draw"] == demo.experiment.sampler.draws
    with az.from_netcdf(path) as read:
        worst = max(float(values.max()) for values in az.rhat(read["posterior"]).data_vars.values())
    assert worst == pytest.approx(demo.report.metrics()["gate.rhat_max"], rel=1e-5)


def test_the_library_loads_the_trace_as_its_own(library, fitted):
    assert list(library.channel_columns) == list(fitted.config.channel_columns)
    assert library.adstock.l_max == fitted.config.adstock_max_lag
    assert target_scale(library) == fitted.target_scale


# Against the library


def test_the_library_computes_the_same_decomposition_from_the_stored_draws(library, thin):
    draws = thin.trace["posterior"].to_dataset()
    theirs = pm.compute_deterministics(
        draws, model=library.model, progressbar=False, compile_kwargs={"mode": "FAST_COMPILE"}
    )
    parts, scale = thin.decompose(), thin.target_scale
    pairs = {
        "channel_contribution": parts.channels,
        "control_contribution": parts.controls,
        "yearly_seasonality_contribution": parts.seasonality,
        "mu": parts.mean,
    }
    for name, ours in pairs.items():
        stacked = theirs[name].stack(sample=("chain", "draw")).transpose("sample", "date", ...)
        assert_close(ours, stacked.to_numpy() * scale)


def test_the_parts_of_sales_add_up_in_every_draw_and_week(fitted):
    parts = fitted.decompose()
    total = parts.non_media + parts.channels.sum("channel")
    assert_close(total, parts.mean.to_numpy())
    assert decomposition_check(parts).passed
    means = parts.means()
    assert list(means) == ["baseline", "seasonality", "controls", *fitted.config.channel_columns]
    assert_close(means.sum(axis=1), parts.mean.mean("sample"))
    assert means.sum(axis=1).sum() == pytest.approx(fitted.observed.sum(), rel=0.01)


def test_a_missing_part_is_found_by_the_decomposition_check(thin):
    parts = thin.decompose()
    without = type(parts)(
        channels=parts.channels.isel(channel=slice(1, None)),
        controls=parts.controls,
        seasonality=parts.seasonality,
        baseline=parts.baseline,
        mean=parts.mean,
    )
    check = decomposition_check(without)
    assert not check.passed
    assert check.value > 0.01


def test_roas_inside_the_data_is_the_librarys_incremental_roas(library, fitted):
    theirs = library.incrementality.contribution_over_spend(frequency="all_time")
    theirs = theirs.stack(sample=("chain", "draw")).transpose("sample", "channel")
    spend = fitted.spend.sum().to_numpy()
    inside = fitted.decompose().channels.sum("week").transpose("sample", "channel") / spend
    assert_close(inside, theirs.to_numpy())
    # The library stops at the last week; what spend still earns after it belongs to it as well.
    assert (fitted.roas().transpose("sample", "channel").to_numpy() > inside.to_numpy()).all()


def test_roas_is_the_librarys_when_no_carryover_leaves_the_data(fitted, tmp_path):
    groups, weeks = thinned(fitted.trace), fitted.config.adstock_max_lag - 1
    for name in fitted.config.channel_columns:
        groups[WEEKLY_TABLE][name][-weeks:] = 0.0
        groups["fit_data"][name][-weeks:] = 0.0
    groups["constant_data"]["channel_data"][-weeks:] = 0.0
    path = tmp_path / "quiet.nc"
    save_trace(to_tree(groups, fitted.trace), path)
    theirs = MMM.load(path).incrementality.contribution_over_spend(frequency="all_time")
    theirs = theirs.stack(sample=("chain", "draw")).transpose("sample", "channel")
    ours = FittedModel(fitted.config, load_trace(path)).roas().transpose("sample", "channel")
    assert_close(ours, theirs.to_numpy())


def test_adstock_weights_are_the_librarys(library, thin):
    alpha = thin.trace["posterior"]["adstock_alpha"].to_numpy().reshape(80, -1)
    impulse = np.zeros(thin.config.adstock_max_lag)
    impulse[0] = 1.0
    theirs = library.adstock.function(
        as_xtensor(impulse, dims=("lag",)),
        alpha=as_xtensor(alpha, dims=("sample", "channel")),
        dim="lag",
    ).transpose("sample", "lag", "channel")
    ours = thin.adstock_weights()
    assert ours.dims == ("sample", "lag", "channel")
    assert_close(ours, theirs.eval())
    assert ours.sum("lag").to_numpy() == pytest.approx(1.0)


def test_saturation_is_the_librarys(library, thin):
    spend, ours = thin.saturation(points=7)
    top = thin.spend.max().to_numpy()
    assert spend[0] == pytest.approx(0)
    assert spend[-1] == pytest.approx(top)
    values = {
        name: as_xtensor(
            thin.trace["posterior"][f"saturation_{name}"].to_numpy().reshape(80, -1),
            dims=("sample", "channel"),
        )
        for name in ("lam", "beta")
    }
    scaled = as_xtensor(spend / top, dims=("point", "channel"))
    theirs = library.saturation.function(scaled, **values).transpose("sample", "point", "channel")
    assert_close(ours, theirs.eval() * thin.target_scale)


def test_a_steady_spend_earns_the_saturated_response(thin):
    spend, response = thin.saturation(points=3)
    weeks = following(thin, 10, 0.0)
    weeks[list(thin.config.channel_columns)] = spend[1]
    run = thin._run(pd.concat([thin.table, weeks], ignore_index=True), seed=0)
    steady = run["channel_contribution"].isel(week=-1).transpose("sample", "channel")
    assert_close(steady, response.isel(point=1).to_numpy())


# Prediction


def test_training_weeks_are_predicted_in_sales_units(fitted):
    predicted = fitted.predict(fitted.table)
    assert list(predicted) == ["Week", "mean", "lower_94", "upper_94"]
    assert (predicted["Week"].to_numpy() == fitted.weeks).all()
    assert (predicted["lower_94"] < predicted["mean"]).all()
    assert (predicted["mean"] < predicted["upper_94"]).all()
    expected = fitted.decompose().mean.mean("sample").to_numpy()
    assert predicted["mean"].to_numpy() == pytest.approx(expected, rel=0.005)
    inside = (fitted.observed >= predicted["lower_94"]) & (fitted.observed <= predicted["upper_94"])
    assert 0.88 <= inside.mean() <= 1.0


def test_part_of_the_training_weeks_knows_what_came_before(fitted):
    whole = fitted.decompose().mean.mean("sample").to_numpy()
    part = fitted.predict(fitted.table.iloc[100:110])
    assert part["mean"].to_numpy() == pytest.approx(whole[100:110], rel=0.005)


def test_following_weeks_match_the_librarys_own_forecast(fitted, library):
    weeks = following(fitted, 4, 20_000.0)
    predicted = fitted.predict(weeks, seed=5)
    controls = list(fitted.config.control_columns)
    reference = fitted.table[controls]
    scaled = weeks.copy()
    scaled[controls] = (weeks[controls] - reference.mean()) / reference.std(ddof=0)
    theirs = library.sample_posterior_predictive(
        scaled,
        include_last_observations=True,
        extend_idata=False,
        var_names=["mu"],
        progressbar=False,
    )["mu"]
    expected = theirs.mean("sample").to_numpy() * fitted.target_scale
    assert predicted["mean"].to_numpy() == pytest.approx(expected, rel=0.005)


def test_earlier_spend_still_earns_in_the_weeks_to_predict(fitted, thin):
    lag = fitted.config.adstock_max_lag
    weeks = following(thin, lag + 2, 0.0)
    groups = thinned(thin.trace, 1)
    for name in thin.config.channel_columns:
        groups[WEEKLY_TABLE][name][-lag:] = 0.0
    # The scales must stay those of the fit, so the largest weeks of spend must not be the last.
    quiet = FittedModel(thin.config, to_tree(groups, thin.trace))
    assert (quiet.spend.max() == thin.spend.max()).all()
    gain = thin.predict(weeks, seed=1)["mean"] - quiet.predict(weeks, seed=1)["mean"]
    assert gain.iloc[0] > 10_000
    assert gain.iloc[: lag - 1].is_monotonic_decreasing
    assert gain.iloc[lag - 1 :].to_numpy() == pytest.approx(0, abs=1e-6)


def test_prediction_ignores_row_order_and_other_columns_and_reads_iso_dates(thin):
    weeks = following(thin, 3, 10_000.0)
    plain = thin.predict(weeks)
    shuffled = weeks.iloc[[2, 0, 1]].assign(Other="text")
    shuffled["Week"] = shuffled["Week"].dt.strftime("%Y-%m-%d")
    pd.testing.assert_frame_equal(thin.predict(shuffled), plain, check_dtype=False)


def test_the_seed_decides_the_predictive_draws(thin):
    weeks = following(thin, 2, 10_000.0)
    pd.testing.assert_frame_equal(thin.predict(weeks, seed=4), thin.predict(weeks, seed=4))
    assert not thin.predict(weeks, seed=4).equals(thin.predict(weeks, seed=5))


def shifted(days: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda weeks: weeks.assign(Week=weeks["Week"] + pd.Timedelta(days=days))


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "gap after the data": (shifted(7), "leave no gap after 2025-12-22; got 2026-01-05"),
    "before the data": (shifted(-7 * 200), "start no earlier than 2023-01-02"),
    "another weekday": (shifted(-2), "must start on a Monday"),
    "gap inside": (lambda w: w.drop(index=1), "7 days apart"),
    "a week twice": (lambda w: pd.concat([w, w.tail(1)]), "7 days apart"),
    "no rows": (lambda w: w.head(0), "7 days apart"),
    "empty date": (lambda w: w.assign(Week=w["Week"].where(w.index != 1)), "empty Week"),
    "time zone": (lambda w: w.assign(Week=w["Week"].dt.tz_localize("UTC")), "time zone"),
    "no date": (lambda w: w.drop(columns="Week"), "lack Week"),
    "no channel": (lambda w: w.drop(columns=["TV", "Radio"]), "lack TV, Radio"),
    "no control": (lambda w: w.drop(columns="Trend"), "lack Trend"),
    "NaN spend": (lambda w: w.assign(TV=[1.0, np.nan, 1.0]), "empty or infinite TV"),
    "infinite control": (lambda w: w.assign(Trend=np.inf), "empty or infinite Trend"),
    "negative spend": (lambda w: w.assign(Radio=-1.0), "negative spend in Radio"),
    "text": (lambda w: w.assign(TV="much"), "could not convert string to float"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weeks_that_cannot_be_predicted_are_refused(thin, fault):
    spoil, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        thin.predict(spoil(following(thin, 3, 1000.0)))


# The identity of a table


def small_table() -> pd.DataFrame:
    weeks = pd.date_range("2024-01-01", periods=3, freq="7D")
    return pd.DataFrame({"Week": weeks, "Sales": [1.0, 2.0, 3.0], "TV": [4.0, 5.0, 6.0]})


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a value": lambda t: t.assign(TV=[4.0, 5.0, np.nextafter(6.0, 7.0)]),
    "all dates": lambda t: t.assign(Week=t["Week"] + pd.Timedelta(days=364)),
    "names swapped": lambda t: t.rename(columns={"Sales": "TV", "TV": "Sales"}),
    "a name": lambda t: t.rename(columns={"TV": "Tv"}),
    "column order": lambda t: t[["Week", "TV", "Sales"]],
    "row order": lambda t: t.iloc[::-1],
    "a row less": lambda t: t.head(2),
    "a column more": lambda t: t.assign(Radio=0.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_identity_of_a_table_changes_with(change):
    assert table_sha256(CHANGES[change](small_table())) != table_sha256(small_table())


def test_the_identity_of_a_table_ignores_index_and_number_type():
    table = small_table()
    assert table_sha256(table.set_index(np.array([7, 8, 9]))) == table_sha256(table)
    assert table_sha256(table.astype({"TV": "int64"})) == table_sha256(table)
    assert table_sha256(table.astype({"Week": "datetime64[s]"})) == table_sha256(table)
