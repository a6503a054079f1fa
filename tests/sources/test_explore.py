"""What a weekly table can tell: known answers on tables made for them."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from explored import MONTHLY, config, gamma, spread, weekly
from mmm_demo.settings.experiment import ModelConfig, free_parameters
from mmm_demo.settings.names import key
from mmm_demo.sources import explore_measures as measure
from mmm_demo.sources.explore import Exploration, explore
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.tables.faults import DataError


@pytest.fixture(scope="module")
def demo() -> Exploration:
    model = ModelConfig(("TV", "Radio", "Search", "Social"), ("Trend", "Promotion"))
    return explore(simulate_market(1).table, model, "simulated market")


@pytest.fixture(scope="module")
def monthly() -> Exploration:
    table = spread(MONTHLY)
    return explore(table, config(table, "SaleDays"), "monthly.csv")


def by_channel(found: Exploration, column: str) -> dict[str, float]:
    return dict(zip(found.channels["channel"], found.channels[column], strict=True))


def sentence(found: Exploration, start: str) -> str:
    (text,) = [text for text in found.verdict if start in text]
    return text


# --- spend levels


def test_monthly_spend_spread_over_days_has_one_level_per_month(monthly: Exploration) -> None:
    # 51 weeks with border weeks between the months; Radio is off from July to December.
    assert len(monthly.table) == 51
    assert by_channel(monthly, "levels") == {"TV": 12, "SEM": 12, "Radio": 7}
    assert by_channel(monthly, "amounts") == {"TV": 12, "SEM": 11, "Radio": 4}
    assert monthly.media_observations == 12
    assert monthly.channels["monthly"].all()


def test_border_weeks_are_no_levels() -> None:
    spend = np.array([[5, 5, 7, 9, 9, 9, 0, 0], [1, 1, 1.5, 2, 2, 2, 3, 3]]).T
    assert measure.spend_steps(spend).tolist() == [0, 0, -1, 1, 1, 1, 2, 2]


def test_a_week_outside_of_its_neighbours_is_a_level() -> None:
    one = np.array([[5, 5, 12, 9, 9, 0, 4, 0, 0]], dtype=float).T
    assert measure.spend_steps(one).tolist() == [0, 0, 1, 2, 2, 3, 4, 5, 5]
    # One column is a mixture there, the other is not.
    two = np.array([[5, 5, 7, 9, 9], [1, 1, 8, 2, 2]], dtype=float).T
    assert measure.spend_steps(two).tolist() == [0, 0, 1, 2, 2]


def test_a_lone_first_or_last_week_is_cut_off_only_where_spend_is_spread() -> None:
    spread_out = np.array([[4, 5, 5, 7, 9, 9, 3]], dtype=float).T
    assert measure.spend_steps(spread_out).tolist() == [-1, 0, 0, -1, 1, 1, -1]
    flighted = np.array([[4, 0, 0, 7, 0, 0, 3]], dtype=float).T
    assert measure.spend_steps(flighted).tolist() == [0, 1, 1, 2, 3, 3, 4]


def test_a_slow_drift_is_not_one_level() -> None:
    drift = 100 * 1.0005 ** np.arange(60)
    assert measure.spend_steps(drift[:, None]).max() + 1 == 20
    assert measure.count_amounts(drift) == 20


def test_spend_equal_within_a_thousandth_is_one_level() -> None:
    values = np.array([100, 100.05, 100.09, 100.2, 100.2])
    assert measure.spend_steps(values[:, None]).tolist() == [0, 0, 0, 1, 1]
    assert measure.count_amounts(np.array([0.0, 1e-12, 5.0, 5.001, 6.0])) == 3


def test_monthly_is_said_in_the_verdict(monthly: Exploration) -> None:
    text = sentence(monthly, "distinct spend level")
    assert text.startswith("TV and SEM have 12; Radio has 7 distinct spend levels in 51 weeks")
    assert "no information beyond the months" in text
    assert "adstock and saturation will largely follow the priors" in text
    assert "12 effective media observations for 9 media parameters" in sentence(monthly, "together")
    assert sentence(monthly, "different amounts").startswith("Radio has only 4 different amounts")


def test_one_channel_alone_reads_well() -> None:
    table = spread({"TV": MONTHLY["TV"]})
    found = explore(table, config(table, "SaleDays"), "x")
    assert "TV has 12 distinct spend levels in 51 weeks" in " ".join(found.verdict)
    assert found.pairs["kind"].tolist() == ["channel and control"]
    assert by_channel(found, "vif")["TV"] == pytest.approx(1.0)
    assert found.condition_number == pytest.approx(1.0)
    assert found.contrasts.empty


def test_steps_that_ignore_the_month_are_not_called_monthly() -> None:
    table = weekly(TV=np.repeat(np.arange(1.0, 13), 5))
    found = explore(table, config(table), "x")
    assert by_channel(found, "levels") == {"TV": 12}
    assert not found.channels["monthly"].any()
    assert "no information beyond these steps" in sentence(found, "distinct spend level")


def test_pulses_are_not_steps() -> None:
    # Off in most weeks, each pulse its own: the best there is for carry-over.
    pulses = np.where(np.arange(120) % 3 == 0, gamma(120), 0.0)
    table = weekly(120, TV=pulses)
    found = explore(table, config(table), "x")
    assert by_channel(found, "levels")["TV"] == 80
    assert "varies from week to week" in sentence(found, "distinct levels")


# --- the demo market


def test_demo_market_is_not_flagged(demo: Exploration) -> None:
    words = " ".join(demo.verdict)
    for flag in ("distinct spend level ", "standing still", "Cannot", "Hardly", "Not identified"):
        assert flag not in words
    assert "infinite" not in words
    assert "All 6 pairs of channels can be told apart" in words
    assert "Search and Social" in words  # its correlated pair
    assert demo.missing_weeks == ()
    assert demo.media_observations == 156
    assert demo.channels["vif"].max() < 2


def test_parameters_are_those_of_the_model(demo: Exploration) -> None:
    assert demo.parameters == sum(free_parameters(demo.model).values()) == 20
    assert demo.media_parameters == 12
    assert demo.observations_per_parameter == 156 / 20
    assert "7.8 weeks per parameter, fewer than 10" in demo.verdict[0]


def test_numbers_agree_with_pandas(demo: Exploration) -> None:
    table = demo.table
    row = demo.columns.set_index("column").loc["TV"]
    assert (row["mean"], row["sd"]) == (table["TV"].mean(), table["TV"].std())
    assert row["zero_weeks"] == (table["TV"] == 0).mean() > 0.3
    assert demo.channels["spend_share"].sum() == pytest.approx(1.0)
    lags = demo.lagged[demo.lagged["channel"] == "TV"].set_index("lag")["correlation"]
    assert lags.index.tolist() == list(range(9))
    for lag in (0, 3):
        assert lags[lag] == pytest.approx(table["Sales"].corr(table["TV"].shift(lag)))
    pd.testing.assert_frame_equal(
        demo.correlations, table[demo.correlations.columns].corr(), check_exact=False
    )


# --- collinearity


def test_known_variance_inflation() -> None:
    # Two columns with correlation r exactly: VIF is 1 / (1 - r^2), condition sqrt((1+r)/(1-r)).
    first, other = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 2)) - [[0, 0]])[0].T
    first = first - first.mean()
    other = other - other.mean()
    other -= first * (first @ other) / (first @ first)
    r = 0.8
    mixed = r * first / np.linalg.norm(first) + np.sqrt(1 - r**2) * other / np.linalg.norm(other)
    table = weekly(A=1 + first, B=1 + mixed)
    found = explore(table, config(table), "x")
    assert found.channels["vif"].to_numpy() == pytest.approx([1 / 0.36] * 2)
    assert found.condition_number == pytest.approx(3.0)
    assert found.pairs["verdict"].tolist() == ["hardly told apart"]
    assert found.contrasts["eigenvalue"].to_numpy() == pytest.approx([0.2])
    assert "Hardly told apart (|correlation| 0.7 to 0.9): A and B (0.80)" in " ".join(found.verdict)


def test_exact_collinearity_is_infinite_and_named() -> None:
    one, two, alone = gamma(seed=1), gamma(seed=2), gamma(seed=3)
    table = weekly(TV=one, Radio=two, Bundle=one + 2 * two, Search=alone)
    found = explore(table, config(table), "x")
    factors = by_channel(found, "vif")
    assert [factors[name] for name in ("TV", "Radio", "Bundle")] == [np.inf] * 3
    assert factors["Search"] < 1.5
    assert found.condition_number == np.inf
    assert found.contrasts.loc[0, "contrast"] == "TV and Radio against Bundle"
    assert found.contrasts.loc[0, "eigenvalue"] == pytest.approx(0.0, abs=1e-9)
    assert found.contrasts.loc[0, "verdict"] == "cannot be told apart"
    exact = sentence(found, "Exactly collinear")
    assert "TV, Radio and Bundle" in exact and "Search" not in exact
    assert found.metrics()["explore.vif.TV"] == np.inf


def test_a_control_that_is_a_channel_shows_only_with_the_controls() -> None:
    table = weekly(TV=gamma(seed=1), Radio=gamma(seed=2))
    table = table.assign(Price=3 * table["TV"] + 5)
    found = explore(table, config(table, "Price"), "x")
    assert by_channel(found, "vif")["TV"] < 1.5
    assert by_channel(found, "vif_with_controls")["TV"] == np.inf
    assert "given the controls as well, infinite for TV" in sentence(found, "Largest VIF")
    assert "TV and Price (1.00)" in sentence(found, "move with a control")


def test_contrasts_of_groups_are_named_one_by_one() -> None:
    rng = np.random.default_rng(3)
    digital, online = gamma(200, 1), gamma(200, 2)
    columns = {
        "SEM": digital + rng.normal(0, 8, 200).clip(-9, 9) + 20,
        "Online marketing": online + 20,
        "Display": digital + 20,
        "Affiliates": 0.3 * online + rng.normal(0, 2, 200).clip(-3, 3) + 20,
        "TV": gamma(200, 4),
    }
    table = weekly(200, **columns)
    found = explore(table, config(table), "x")
    lost = found.contrasts[found.contrasts["verdict"] == "cannot be told apart"]
    assert set(lost["contrast"]) == {"SEM against Display", "Online marketing against Affiliates"}
    words = sentence(found, "Not identified by this data")
    assert "SEM against Display" in words and "the sum of their effects" in words
    assert "SEM and Display" in sentence(found, "Cannot be told apart")
    assert found.metrics()["explore.pairs_inseparable"] == 2


def test_channels_that_move_against_each_other_lose_their_sum() -> None:
    one = gamma()
    table = weekly(TV=one, Radio=one.max() * 1.1 - one + np.random.default_rng(1).uniform(0, 9, 60))
    found = explore(table, config(table), "x")
    assert found.contrasts["contrast"].tolist() == ["the sum of TV and Radio"]


# --- controls, outliers, holes, gaps


def test_effect_of_an_indicator_has_a_welch_interval() -> None:
    rng = np.random.default_rng(8)
    event = np.zeros(60)
    event[:10] = 1
    table = weekly(TV=gamma(), Event=event)
    table["Sales"] = 100 + rng.normal(0, 1 + 4 * event) + 50 * event
    found = explore(table, config(table, "Event"), "x")
    (row,) = found.effects.to_dict("records")
    present, without = table["Sales"][:10], table["Sales"][10:]
    assert row["difference"] == pytest.approx(present.mean() - without.mean())
    assert (row["weeks_with"], row["weeks_without"]) == (10, 50)
    error = np.sqrt(present.var() / 10 + without.var() / 50)
    # t of 0.97 at 9.2 degrees of freedom is about 2.14, between those of 9 and 10.
    assert 2.12 < (row["upper_94"] - row["difference"]) / error < 2.17
    assert row["lower_94"] < 50 < row["upper_94"]
    text = sentence(found, "10 weeks with Event")
    assert f"{row['share']:.0%} more Sales than the 50 without" in text
    assert "chance" not in text


def test_no_effect_is_called_chance_and_one_week_has_no_interval() -> None:
    one = np.zeros(60)
    one[7] = 1
    table = weekly(TV=gamma(), Dull=np.arange(60) % 2, Once=one, Price=gamma(seed=9))
    found = explore(table, config(table, "Dull", "Once", "Price"), "x")
    assert found.effects["control"].tolist() == ["Dull", "Once"]  # Price is no indicator
    assert found.effects["lower_94"].isna().tolist() == [False, True]
    assert "which may be chance" in sentence(found, "with Dull")
    assert "too few weeks for an interval" in sentence(found, "with Once")


def test_outliers_are_found_with_week_and_mark() -> None:
    event = np.zeros(60)
    event[[20, 30]] = 1
    table = weekly(TV=gamma(), Event=event)
    table.loc[20, "Sales"] = 200.0
    table.loc[40, "Sales"] = 10.0
    found = explore(table, config(table, "Event"), "x").outliers
    target = found[found["column"] == "Sales"]
    assert target["week"].tolist() == [table["Week"][20], table["Week"][40]]
    assert target["kind"].tolist() == ["high", "low"]
    assert target["marked_by"].tolist() == ["Event", ""]
    median = table["Sales"].median()
    mad = (table["Sales"] - median).abs().median()
    assert target["robust_z"].iloc[0] == pytest.approx((200 - median) / (1.4826 * mad))
    assert not (found["column"] == "Event").any()  # an indicator has no outliers


def test_a_channel_that_is_mostly_off_is_judged_by_the_weeks_it_is_on() -> None:
    spend = np.zeros(60)
    spend[::3] = np.random.default_rng(1).normal(100, 2, 20)
    spend[30] = 200
    values = pd.Series(spend)
    assert measure.outlying_weeks(values, with_holes=False).index.tolist() == [30]
    values[values > 0] = [100.0, 101, 99, 500] + [0.0] * 16  # four weeks say nothing
    assert measure.outlying_weeks(values, with_holes=False).empty


def test_a_hole_in_the_records_is_not_low_demand() -> None:
    table = weekly(TV=100 + gamma(), Hole=np.zeros(60))
    table.loc[10:13, ["Sales", "TV", "Hole"]] = [1.0, 0.5, 1.0]
    found = explore(table, config(table, "Hole"), "x")
    known = table.drop(index=range(10, 14))
    clean = known["Sales"].corr(known["TV"])
    assert found.correlations.loc["Sales", "TV"] == pytest.approx(clean)
    assert np.isnan(found.correlations.loc["Sales", "Hole"])
    assert found.lagged["weeks"].iloc[0] == 56
    assert found.lagged["correlation"].iloc[0] == pytest.approx(clean)
    assert found.effects.empty  # nothing is left to compare
    text = sentence(found, "almost no Sales")
    assert text.startswith("4 weeks have almost no Sales (below 5% of the median): 2024-03-11")
    assert "marked by Hole" in text and f"instead of {clean:.2f}" in text
    unmarked = explore(table, config(table.drop(columns="Hole")), "x")
    assert "no control marks just these weeks" in sentence(unmarked, "almost no Sales")


def test_missing_weeks_are_named(monthly: Exploration) -> None:
    assert monthly.missing_weeks == ()
    table = weekly(TV=gamma()).drop(index=[5, 6])
    found = explore(table, config(table), "x")
    assert found.missing_weeks == (pd.Timestamp("2024-02-05"), pd.Timestamp("2024-02-12"))
    assert "2 weeks missing" in found.verdict[0]


# --- the values as such


def test_metrics_are_flat_numbers_with_names_that_a_store_takes() -> None:
    table = weekly(**{"TV & Radio (m)": gamma(seed=1), "Search": gamma(seed=2)})
    table = table.assign(Event=np.arange(60) % 2)
    metrics = explore(table, config(table, "Event"), "x").metrics()
    assert all(re.fullmatch(r"explore\.[\w.\- ]+", name) for name in metrics)
    assert all(type(value) is float for value in metrics.values())
    assert metrics[key("TV & Radio (m)", "explore.levels.")] == 60
    assert metrics["explore.obs_per_parameter"] == 60 / 13
    assert {"explore.condition_number", "explore.vif.Search", "explore.effect_share.Event"} <= set(
        metrics
    )


def test_table_is_left_alone_and_result_is_frozen(demo: Exploration) -> None:
    table = spread(MONTHLY)
    before = table.copy(deep=True)
    explore(table, config(table, "SaleDays"), "x")
    pd.testing.assert_frame_equal(table, before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        demo.source = "other"  # type: ignore[misc]


def test_units_change_nothing_but_amounts(monthly: Exploration) -> None:
    table = monthly.table.assign(**{name: monthly.table[name] / 1e9 for name in MONTHLY})
    found = explore(table, monthly.model, "x")
    assert found.channels["vif"].to_numpy() == pytest.approx(monthly.channels["vif"].to_numpy())
    assert found.channels["levels"].tolist() == monthly.channels["levels"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="TV"), "your.csv lacks TV; correct the columns"),
        (lambda table: table.assign(TV=3.0), "tell nothing: constant: TV"),
        (lambda table: table.assign(Sales=np.nan), "tell nothing: not finite: Sales"),
        (lambda table: table.head(6), r"your.csv has 6 week\(s\), at least 7"),
    ],
)
def test_a_table_that_tells_nothing_is_refused(change: object, message: str) -> None:
    table = weekly(TV=gamma(), Radio=gamma(seed=3))
    with pytest.raises(DataError, match=message):
        explore(change(table), config(table), "your.csv")
