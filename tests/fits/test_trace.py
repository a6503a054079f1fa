"""What is kept of a fit: slim, complete, readable by others, and never overwritten."""

from collections.abc import Callable

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import thinned, to_tree

from drawn_model import drawn_model
from mmm_demo.fits.build import target_scale
from mmm_demo.fits.trace import (
    LIFT_TESTS,
    SAMPLE_STATS,
    TRACE_GROUPS,
    WEEKLY_TABLE,
    TraceError,
    lift_table,
    load_trace,
    save_trace,
    slim,
    table_sha256,
    weekly_table,
)
from mmm_demo.sources.simulate import simulate_market

MAX_TRACE_BYTES = 1_200_000


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


# Lift tests


def lift_tests() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["TV", "Radio"],
            "x": [1.0, 1 / 3],
            "delta_x": [2.0, -1 / 3],
            "delta_y": [3.0, 1e-3],
            "sigma": [0.5, 1 / 7],
            "date": pd.to_datetime(["2023-05-01", "2023-06-05"]).astype("datetime64[ns]"),
        }
    )


def calibrated_trace(tests: pd.DataFrame | None) -> xr.DataTree:
    """Return a slim trace of a model that is real in all but the sampling."""
    model = drawn_model()
    groups = {name: xr.Dataset() for name in TRACE_GROUPS}
    groups["posterior"] = model.trace["posterior"].to_dataset()
    idata = xr.DataTree.from_dict(groups)
    return slim(idata, list(groups["posterior"].data_vars), model.config, model.table, tests)


def test_lift_tests_come_back_to_the_last_digit(tmp_path):
    save_trace(calibrated_trace(lift_tests()), tmp_path / "trace.nc")
    again = load_trace(tmp_path / "trace.nc")
    pd.testing.assert_frame_equal(lift_table(again), lift_tests(), check_exact=True)
    save_trace(again, tmp_path / "again.nc")
    pd.testing.assert_frame_equal(
        lift_table(load_trace(tmp_path / "again.nc")), lift_tests(), check_exact=True
    )


def test_a_trace_without_lift_tests_has_none(tmp_path):
    save_trace(calibrated_trace(None), tmp_path / "trace.nc")
    assert lift_table(load_trace(tmp_path / "trace.nc")) is None


def test_stored_lift_tests_without_a_column_are_refused():
    trace = calibrated_trace(lift_tests())
    trace[LIFT_TESTS] = xr.DataTree(trace[LIFT_TESTS].to_dataset().drop_vars("sigma"))
    with pytest.raises(TraceError, match="the stored lift tests lack sigma"):
        lift_table(trace)


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
