"""The sampler's zoo: tables that their models may see, and how fits of them are summed up."""

from functools import cache

import pandas as pd
import pytest
import sampler_zoo
import zoo_tables
from sampler_zoo import How, summarise
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
@each(seed=[1, SEED])
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


def fit(kind: str, seed: int, **told: object) -> dict:
    """Return a fit as the benchmark writes it."""
    ends = {"y_sigma": [1.0, 0.5, 1.5, 0.01, 0.02, 0.02]}
    row = {"kind": kind, "seed": seed, "how": "project", "reference": False, "passed": True}
    row |= {"attempts": 1, "seconds": 2.0, "gradients": 100, "refused_by": "", "ends": ends}
    return row | {"ess_bulk_min": 900.0, "ess_tail_min": 800.0} | told


def summary(rows: list[dict]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the cells of a summary by way and kind."""
    found, how = {}, ""
    for line in summarise(rows).splitlines():
        cells = line.split()
        if len(cells) <= 1:
            how = line or how
        elif cells[0] != "fits":
            found[how, cells[0]] = dict(zip(COLUMNS, cells[1:], strict=True))
    return found


COLUMNS = ("fits", "passed", "wrongly", "unknown", "s", "g", "rate", "attempts", "n", "z", "far")


def test_a_refusal_counts_when_a_reference_of_its_table_passes() -> None:
    careful = {"how": "careful", "reference": True}
    refused = {"passed": False, "refused_by": "rhat_max"}
    rows = [
        fit("step", 1, **refused, attempts=3),
        fit("step", 2, **refused),
        fit("step", 3, **refused),
        fit("step", 4),
        fit("step", 1, **careful),
        fit("step", 2, **careful, **refused),
        fit("launch", 1, **refused),  # another table with the same seed
    ]
    told = summary(rows)
    line = told["project", "step"]
    assert (line["fits"], line["passed"], line["wrongly"], line["unknown"]) == ("4", "1", "1", "1")
    assert line["attempts"] == "1.50" and line["rate"] == "400" and line["n"] == "0"
    assert told["project", "launch"]["unknown"] == told["careful", "step"]["passed"] == "1"
    assert told["project", "all"]["fits"] == "5" and told["careful", "step"]["wrongly"] == "0"


def test_posteriors_are_held_against_the_reference_in_monte_carlo_errors() -> None:
    def line(**ends: list[float]) -> dict[str, str]:
        rows = [fit("step", 1), fit("step", 1, how="careful", reference=True, ends=ends)]
        return summary(rows)["project", "step"]

    near = line(y_sigma=[1.01, 0.5, 1.5, 0.01, 0.02, 0.02])
    assert (near["n"], near["z"], near["far"]) == ("1", "0.7", "0/3")
    assert line(y_sigma=[1.1, 0.5, 1.5, 0.01, 0.02, 0.02])["far"] == "1/3"
    assert line(y_sigma=[1.0, float("nan"), 1.5, 0.01, 0.02, 0.02])["far"] == "1/3"
    with pytest.raises(ValueError, match=r"fits of other parameters: \['intercept', 'y_sigma'\]"):
        line(intercept=[1.0, 0.5, 1.5, 0.01, 0.02, 0.02])


def test_a_fit_that_is_there_is_not_made_again(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []

    def fit_once(table: ZooTable, seed: int, *_: object) -> dict:
        made.append((table.kind, seed))
        return fit(table.kind, seed, how=str(How()))

    monkeypatch.setattr(sampler_zoo, "fit_once", fit_once)
    out = tmp_path / "zoo.jsonl"
    for seeds in (range(1, 3), range(1, 4)):
        sampler_zoo.run(("one_year", "step"), seeds, How(), None, out)
    assert sorted(made) == [(kind, seed) for kind in ("one_year", "step") for seed in (1, 2, 3)]
    sampler_zoo.run(("step",), range(1, 2), How(draws=500), None, out)
    assert made[-1] == ("step", 1) and len(made) == len(sampler_zoo.read_rows(out)) == 7
