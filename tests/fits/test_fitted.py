"""The fitted model against PyMC-Marketing itself, against the known truth, and as a forecast."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from conftest import thinned, to_tree
from pymc_marketing.mmm import MMM
from pytensor.xtensor import as_xtensor

from mmm_demo.checks.convergence import decomposition_check
from mmm_demo.fits import tables
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import WEEKLY_TABLE, load_trace, save_trace
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.sources.simulate import simulate_market

WEEK = pd.Timedelta(days=7)


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


# Against the truth


def test_every_channels_true_roas_lies_inside_its_interval(fitted):
    truth = simulate_market(1, 156).truth
    table = tables.result_tables(fitted, fitted.decompose(), truth)["truth"]
    missed = table.loc[~table["inside"], ["channel", "quantity", "truth", "lower_94", "upper_94"]]
    assert missed.empty, f"missed:\n{missed.to_string()}"


def test_adstock_and_saturation_rates_are_recovered(fitted):
    truth = simulate_market(1, 156).truth
    true = pd.DataFrame(
        {"adstock_alpha": truth.adstock_alpha, "saturation_lam": truth.saturation_lam}
    )
    for name in true:
        draws = fitted.trace["posterior"][name].to_numpy().reshape(-1, len(true))
        lower, upper = np.quantile(draws, [0.005, 0.995], axis=0)  # eight rates, so 99 % each
        missed = true.index[~true[name].between(lower, upper)]
        assert missed.empty, f"{name} of {', '.join(missed)} is outside its interval"


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
        events=parts.events,
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


def test_part_of_the_training_weeks_knows_what_came_before(fitted, lean_model):
    whole = fitted.decompose().mean.mean("sample").to_numpy()
    part = lean_model.predict(fitted.table.iloc[100:110])
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
