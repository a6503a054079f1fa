"""What is kept of a fit, and how it is stored."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.names import ROWS, variable
from mmm_demo.settings.run_schema import SALES_PARAM
from mmm_demo.tables.lift import COLUMNS

TRACE_GROUPS = ("posterior", "sample_stats", "constant_data", "observed_data", "fit_data")
SAMPLE_STATS = ("diverging", "energy", "depth", "maxdepth_reached", "n_steps", "step_size")
WEEKLY_TABLE = "weekly_table"
LIFT_TESTS = "lift_tests"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class TraceError(RuntimeError):
    """A stored trace that cannot be read as one."""


def slim(
    idata: xr.DataTree,
    free: list[str],
    config: ModelConfig,
    table: pd.DataFrame,
    lift_tests: pd.DataFrame | None = None,
) -> xr.DataTree:
    """Keep the free parameters and the data: 1 MB instead of 60, with nothing lost.

    Everything else is a function of these and is computed again when needed.
    """
    groups = {name: idata[name].to_dataset() for name in TRACE_GROUPS}
    groups["posterior"] = as_written(groups["posterior"][free], config)
    kept = [name for name in SAMPLE_STATS if name in groups["sample_stats"]]
    groups["sample_stats"] = groups["sample_stats"][kept]
    groups[WEEKLY_TABLE] = stored_table(table)
    if lift_tests is not None:
        plain = lift_tests.astype({"channel": object}).rename_axis("test")
        groups[LIFT_TESTS] = xr.Dataset.from_dataframe(plain)
    slim = xr.DataTree.from_dict(groups)
    slim.attrs = dict(idata.attrs)
    return slim


def stored_table(table: pd.DataFrame) -> xr.Dataset:
    """Return a weekly table as a trace holds it."""
    return xr.Dataset.from_dataframe(table.rename(columns=variable).rename_axis(ROWS))


def as_written(draws: xr.Dataset, config: ModelConfig) -> xr.Dataset:
    """Return the model library's draws with channels and controls called as they are written."""
    return renamed(draws, config, str)


def renamed(draws: xr.Dataset, config: ModelConfig, call: Callable[[str], str]) -> xr.Dataset:
    """Return draws with other names of channels and controls."""
    named = {"channel": config.channel_columns, "control": config.control_columns}
    return draws.assign_coords(
        {dim: list(map(call, of)) for dim, of in named.items() if dim in draws.dims}
    )


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
    stored = {variable(name): name for name in config.columns}
    if missing := [name for held, name in stored.items() if held not in table]:
        raise TraceError(f"the stored weekly table lacks {', '.join(missing)}")
    return table[[*stored]].rename(columns=stored).reset_index(drop=True)


def lift_table(trace: xr.DataTree) -> pd.DataFrame | None:
    """Return the lift tests that calibrated a trace (`lift.COLUMNS`); None without any.

    Raises
    ------
    TraceError
        When a column is not in them.
    """
    if LIFT_TESTS not in trace.children:
        return None
    table = trace[LIFT_TESTS].to_dataset().to_dataframe()
    if missing := [name for name in COLUMNS if name not in table]:
        raise TraceError(f"the stored lift tests lack {', '.join(missing)}")
    return table[list(COLUMNS)].reset_index(drop=True).astype({"channel": str})


def table_sha256(table: pd.DataFrame, calendar: Sequence[Occurrence] = ()) -> str:
    """Return the identity of the data of a fit.

    Returns
    -------
    str
        Sha256 over dates, column names and values of the weekly table, and over when the events
        of its model were and will be.
    """
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(f"{name}\0".encode())
        if pd.api.types.is_datetime64_any_dtype(column):
            digest.update("\0".join(column.dt.strftime("%Y-%m-%dT%H:%M:%S")).encode())
        else:
            digest.update(np.ascontiguousarray(column.to_numpy("float64")).tobytes())
    for time in calendar:
        digest.update(f"{time.name}\0{time.start}\0{time.end}\0".encode())
    return digest.hexdigest()


def sales_sha256(table: pd.DataFrame, config: ModelConfig) -> str:
    """Return the identity of what a model explains: sha256 over the dates and sales alone.

    Fits that explain the same sales compare, whatever they explain them with.
    """
    sales = table[[config.date_column, config.target_column]]
    return table_sha256(sales.set_axis(["date", "sales"], axis=1))


def data_params(
    table: pd.DataFrame, config: ModelConfig, calendar: Sequence[Occurrence] = ()
) -> dict[str, str]:
    """Return the params with which a run says what it is fitted on."""
    return {"data.sha256": table_sha256(table, calendar), SALES_PARAM: sales_sha256(table, config)}
