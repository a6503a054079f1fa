"""Where the weekly table comes from: simulated, a CSV file, or DT Mart on Kaggle."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from mmm_demo.config import DataConfig, ModelConfig
from mmm_demo.contract import Contract, DataError, validate_table
from mmm_demo.simulate import Truth, simulate_market

DATASET_ID = "datatattle/dt-mart-market-mix-modeling"
DT_MART_FOLDER = "dt_mart"
DT_MART_FILES = (
    "firstfile.csv",
    "MediaInvestment.csv",
    "MonthlyNPSscore.csv",
    "ProductList.csv",
    "Sales.csv",
    "Secondfile.csv",
    "SpecialSale.csv",
)


@dataclass(frozen=True)
class MarketingData:
    """A weekly table that passed the contract.

    Attributes
    ----------
    table
        Columns date, target, channels, controls; one row per week.
    source
        Where it came from, in words.
    warnings
        What the contract noticed without refusing.
    """

    table: pd.DataFrame
    source: str
    warnings: tuple[str, ...] = ()

    @cached_property
    def span(self) -> str:
        """First and last week and their number."""
        weeks = self.table.iloc[:, 0]
        return f"{weeks.iloc[0]:%Y-%m-%d} to {weeks.iloc[-1]:%Y-%m-%d}, {len(weeks)} weeks"


def load_market(data: DataConfig, model: ModelConfig, root: Path) -> MarketingData:
    """Load the weekly table of an experiment and hold it against the contract.

    Parameters
    ----------
    data
        Source and its settings.
    model
        Columns and lag, which the table must fit.
    root
        The project's folder; relative paths start there.

    Raises
    ------
    DataError
        When the table is not one that a model may see.
    FileNotFoundError
        When the CSV file is not there.
    RuntimeError
        When DT Mart cannot be downloaded.
    """
    if data.source == "simulated":
        raw = simulate_market(data.seed, data.weeks).table
        source = f"simulated market, seed {data.seed}"
    elif data.source == "csv":
        path = root / str(data.path)
        raw, source = read_csv(path), str(data.path)
    else:
        folder = download_dt_mart(root / "data")
        raise RuntimeError(
            f"the DT Mart files are in {folder}, but this version builds no weekly table from "
            "them yet; make one yourself and use it with source csv"
        )
    contract = Contract(
        date_column=model.date_column,
        target_column=model.target_column,
        channel_columns=model.channel_columns,
        control_columns=model.control_columns,
        adstock_max_lag=model.adstock_max_lag,
        missing_spend=data.missing_spend,
    )
    table, warnings = validate_table(raw, contract, source)
    return MarketingData(table, source, warnings)


def known_truth(data: DataConfig) -> Truth | None:
    """Return what really drove sales; known for simulated markets only."""
    if data.source != "simulated":
        return None
    return simulate_market(data.seed, data.weeks).truth


def read_csv(path: Path) -> pd.DataFrame:
    """Read a comma-separated weekly table, cells as they are.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DataError
        When it is no CSV file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no data file {path}; put it there or change data.path in the experiment file"
        )
    try:
        return pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable CSV file: {error}") from None


def download_dt_mart(data_folder: Path) -> Path:
    """Fetch the DT Mart files that are missing from `data/dt_mart/`; touch no file that is there.

    Parameters
    ----------
    data_folder
        The project's `data/`.

    Returns
    -------
    pathlib.Path
        Folder with the seven files.

    Raises
    ------
    RuntimeError
        When Kaggle cannot be reached or the download lacks a file.
    """
    folder = data_folder / DT_MART_FOLDER
    missing = [name for name in DT_MART_FILES if not (folder / name).is_file()]
    if not missing:
        return folder
    source = _download()
    if absent := [name for name in missing if not (source / name).is_file()]:
        raise RuntimeError(f"the download of {DATASET_ID} lacks {', '.join(absent)}: {source}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:  # a file appears whole or not at all, so an interrupted copy can go on
        part = folder / f"{name}.part"
        shutil.copyfile(source / name, part)
        part.rename(folder / name)
    return folder


def _download() -> Path:
    import kagglehub  # slow to import, and needed for DT Mart only

    try:
        return Path(kagglehub.dataset_download(DATASET_ID))
    except Exception as error:  # network, login, checksum, zip: kagglehub's errors share no base
        raise RuntimeError(
            f"could not download {DATASET_ID} with kagglehub: {error}. Check the connection, or "
            "put the seven files into data/dt_mart/ yourself, or use source simulated or csv"
        ) from error
