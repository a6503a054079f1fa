"""Tables: the numbers in them are those of the draws, in the units that their names say."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mmm_demo.fits import tables
from mmm_demo.sources.simulate import simulate_market

INTERVAL = ["mean", "lower_94", "upper_94"]


def known_draws() -> xr.DataArray:
    values = np.column_stack([np.arange(101.0), 1000 + 10 * np.arange(101.0)])
    return xr.DataArray(values, dims=("sample", "channel"), coords={"channel": ["TV", "Radio"]})


def test_draws_are_described_by_mean_median_and_intervals():
    table = tables.describe(known_draws())
    assert list(table) == [
        "channel",
        "mean",
        "median",
        "lower_50",
        "upper_50",
        "lower_94",
        "upper_94",
    ]
    assert table["channel"].tolist() == ["TV", "Radio"]
    assert table.iloc[0, 1:].tolist() == pytest.approx([50, 50, 25, 75, 3, 97])
    assert table.iloc[1, 1:].tolist() == pytest.approx([1500, 1500, 1250, 1750, 1030, 1970])


def test_the_order_of_dimensions_does_not_matter():
    draws = known_draws()
    turned = draws.transpose("channel", "sample")
    pd.testing.assert_frame_equal(tables.describe(turned), tables.describe(draws))


def test_one_unmeasured_draw_is_not_hidden():
    draws = known_draws()
    draws[5, 0] = np.nan
    table = tables.describe(draws).set_index("channel")
    assert table.loc["TV"].isna().all()
    assert table.loc["Radio"].notna().all()


def test_shares_are_contributions_over_observed_sales_beside_shares_of_spend(thin):
    parts = thin.decompose()
    table = tables.share_table(thin, parts).set_index("channel")
    sums = parts.channels.sum("week").mean("sample").to_series()
    assert table["mean"].to_numpy() == pytest.approx((sums / thin.observed.sum()).to_numpy())
    assert table["spend_share"].sum() == pytest.approx(1)
    spend = thin.spend.sum()
    assert table["spend_share"].to_numpy() == pytest.approx((spend / spend.sum()).to_numpy())
    assert table[["mean", "median"]].gt(0).all(axis=None)
    assert table["mean"].sum() < 1


def test_contributions_by_week_add_up_to_about_the_sales_beside_them(thin):
    table = tables.contribution_table(thin, thin.decompose())
    parts = ["baseline", "seasonality", "controls", *thin.config.channel_columns]
    assert list(table) == ["Week", "Sales", *parts]
    assert (table["Week"].to_numpy() == thin.weeks).all()
    assert (table["Sales"].to_numpy() == thin.observed).all()
    assert table[parts].sum(axis=None) == pytest.approx(table["Sales"].sum(), rel=0.01)


def test_adstock_weights_have_a_row_per_channel_and_lag_and_add_up(thin):
    table = tables.adstock_table(thin)
    lag = thin.config.adstock_max_lag
    assert list(table) == ["channel", "lag", *INTERVAL]
    assert len(table) == lag * len(thin.config.channel_columns)
    for _, curve in table.groupby("channel"):
        assert curve["lag"].tolist() == list(range(lag))
        assert curve["mean"].sum() == pytest.approx(1)
        assert curve["mean"].is_monotonic_decreasing
    assert (table["lower_94"] <= table["mean"]).all()
    assert (table["mean"] <= table["upper_94"]).all()


def test_saturation_rises_from_nothing_to_the_largest_spend(thin):
    table = tables.saturation_table(thin)
    assert list(table) == ["channel", "spend", *INTERVAL]
    for channel, curve in table.groupby("channel"):
        assert curve["spend"].iloc[0] == curve["mean"].iloc[0] == 0
        assert curve["spend"].iloc[-1] == pytest.approx(thin.spend[channel].max())
        assert curve["mean"].is_monotonic_increasing
        assert curve["mean"].diff().dropna().is_monotonic_decreasing  # each unit brings less
        assert curve["mean"].iloc[-1] < thin.observed.max()  # sales units, of one channel


def test_the_truth_table_holds_each_estimate_against_its_own_truth(thin):
    truth = simulate_market(1, 156).truth
    table = tables.result_tables(thin, thin.decompose(), truth)["truth"]
    assert table["quantity"].unique().tolist() == ["ROAS", "contribution share"]
    indexed = table.set_index(["quantity", "channel"])
    for channel in thin.config.channel_columns:
        assert indexed.loc[("ROAS", channel), "truth"] == truth.roas[channel]
        assert indexed.loc[("contribution share", channel), "truth"] == truth.share[channel]
    within = (table["lower_94"] <= table["truth"]) & (table["truth"] <= table["upper_94"])
    assert (table["inside"] == within).all()


def test_a_missed_truth_is_outside(thin):
    truth = simulate_market(1, 156).truth
    wrong = type(truth)(**(vars(truth) | {"roas": truth.roas * 10}))
    table = tables.result_tables(thin, thin.decompose(), wrong)["truth"]
    assert not table.loc[table["quantity"] == "ROAS", "inside"].any()


def test_the_logged_tables_are_those_of_the_fit(demo, fitted):
    logged = demo.client.download_artifacts(demo.run_id, "tables/roas_demo.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(logged), tables.describe(fitted.roas()), check_dtype=False, rtol=1e-9
    )
