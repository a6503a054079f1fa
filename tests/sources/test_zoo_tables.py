"""Every kind of the sampler's zoo gives a table that its model may see, by its seed alone."""

from functools import cache

import pandas as pd
import pytest
import zoo_tables
from zoo_tables import FAIL, KINDS, OPEN, REPORT, TUNE, ZooTable, make_table

from each import each
from mmm_demo.settings.data import DataConfig
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.lift import validate_lift_tests

OWN = tuple(kind for kind in KINDS if kind not in OPEN)
every_own = each(kind=OWN)
SEED = 7


@cache
def zoo(kind: str, seed: int) -> ZooTable:
    return make_table(kind, seed)


def test_kinds_to_report_are_none_to_tune_with() -> None:
    assert len(TUNE) == 10 and len(REPORT) == 6 and len(FAIL) == 3 and len(OPEN) == 2
    assert len({*TUNE, *REPORT, *FAIL, *OPEN}) == 21 == len(KINDS)
    assert {*TUNE, *REPORT, *FAIL, *OPEN} == {*KINDS}


@every_own
@each(seed=[1, SEED, 20])
def test_table_is_one_that_its_model_may_see(kind: str, seed: int) -> None:
    made = zoo(kind, seed)
    table, warnings = validate_table(made.table, made.model, DataConfig(), kind)
    assert warnings == () and tuple(table) == made.model.columns
    pd.testing.assert_frame_equal(table, made.table)
    if made.lift_tests is not None:
        tests, noticed = validate_lift_tests(made.lift_tests, made.model, table, kind)
        assert noticed == () and len(tests) == 2
    assert made.kind == kind and made.meant_to_fail == (kind in FAIL)
    assert (made.lift_tests is not None) == (kind == "lift_conflict")


@every_own
def test_seed_alone_decides_the_table(kind: str) -> None:
    again, before = make_table(kind, SEED), zoo(kind, SEED)
    pd.testing.assert_frame_equal(again.table, before.table, check_exact=True)
    assert again.model == before.model
    for column in ("Sales", before.model.channel_columns[0]):
        assert not before.table[column].equals(zoo(kind, SEED + 1).table[column])


def test_kinds_are_what_they_are_called() -> None:
    tables = {kind: zoo(kind, SEED).table for kind in OWN}
    models = {kind: zoo(kind, SEED).model for kind in OWN}
    spend = {kind: tables[kind][list(models[kind].channel_columns)] for kind in OWN}
    weeks = {kind: len(tables[kind]) for kind in OWN}
    assert weeks["one_year"] == 52 and weeks["six_years"] == 300 and weeks["always_on"] == 156
    assert spend["always_on"].shape[1] == 3 and (spend["always_on"] > 0).all(axis=None)
    assert spend["impressions"].mean().between(0.9e7, 1.1e7).all()
    assert spend["fifteen_channels"].shape[1] == 15
    assert spend["many_controls"].shape == (104, 7)
    assert len(models["many_controls"].control_columns) == 6
    launched = spend["launch"].iloc[:, -1]
    assert (launched[:-8] == 0).all() and (launched[-8:] > 0).all()
    pairs = spend["correlated_pairs"].corr().to_numpy()
    assert all(pairs[place, place + 3] > 0.9 for place in range(3)) and abs(pairs[0, 1]) < 0.4
    assert models["s_shape"].saturation == "s_shaped"
    assert models["long_carryover"].adstock_max_lag == 12
    assert models["funnel"].yearly_seasonality == 10
    assert (spend["long_carryover"] == 0).mean().between(0.2, 0.8).all()


@each(kind=OPEN)
def test_an_open_table_that_is_not_there_is_asked_for(
    kind: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo_tables, "OPEN_DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"no open table at .*{kind}\.csv; put"):
        make_table(kind, 1)


def test_open_table_is_read_from_its_folder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = zoo("no_effect", SEED).table.iloc[:, :4]
    rows = rows.set_axis(["date", "y", "x1", "x2"], axis=1)
    rows.to_csv(tmp_path / "mmm_roas_data.csv", index=False)
    monkeypatch.setattr(zoo_tables, "OPEN_DATA", tmp_path)
    made = make_table("mmm_roas_data", 1)
    pd.testing.assert_frame_equal(made.table, rows)
    assert made.model.channel_columns == ("x1", "x2") and not made.meant_to_fail


def test_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="unknown kind 'unicorn'; choose one of always_on"):
        make_table("unicorn", 1)
