"""The DT Mart files from Kaggle to `data/`; nothing that is there is touched."""

import shutil
import zipfile
from datetime import date
from pathlib import Path

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


def download_dt_mart(data_folder: Path, force: bool = False) -> Path:
    """Fetch the DT Mart files that are missing in the newest folder of them.

    Parameters
    ----------
    data_folder
        The project's `data/`; the files go to `dt_mart/` in it.
    force
        Download all files again, into a new dated folder beside the old one.

    Returns
    -------
    pathlib.Path
        Folder with the seven files.

    Raises
    ------
    RuntimeError
        When Kaggle cannot be reached or the download lacks a file.
    """
    folder = _new_folder(data_folder) if force else newest_folder(data_folder)
    missing = [name for name in DT_MART_FILES if not (folder / name).is_file()]
    if not missing:
        return folder
    source = _download(force)
    if absent := [name for name in missing if not (source / name).is_file()]:
        raise RuntimeError(f"the download of {DATASET_ID} lacks {', '.join(absent)}: {source}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:  # a file appears whole or not at all, so an interrupted copy can go on
        part = folder / f"{name}.part"
        shutil.copyfile(source / name, part)
        part.rename(folder / name)
    return folder


def newest_folder(data_folder: Path) -> Path:
    """Return the newest folder of DT Mart files, there or to be made."""
    dated = sorted(data_folder.glob(f"{DT_MART_FOLDER}_*"))
    return dated[-1] if dated else data_folder / DT_MART_FOLDER


def _new_folder(data_folder: Path) -> Path:
    if not (data_folder / DT_MART_FOLDER).exists():
        return data_folder / DT_MART_FOLDER
    today = len(list(data_folder.glob(f"{DT_MART_FOLDER}_{date.today()}*")))
    return data_folder / f"{DT_MART_FOLDER}_{date.today()}_{today + 1:02d}"


def _download(force: bool) -> Path:
    import kagglehub  # slow to import, and needed for DT Mart only
    from kagglehub import exceptions as kaggle

    try:
        return Path(kagglehub.dataset_download(DATASET_ID, force_download=force))
    except (
        OSError,  # network errors of requests are OSErrors
        ValueError,
        zipfile.BadZipFile,
        kaggle.BackendError,
        kaggle.CredentialError,
        kaggle.DataCorruptionError,
        kaggle.NotFoundError,
        kaggle.UnauthenticatedError,
    ) as error:
        raise RuntimeError(
            f"could not download {DATASET_ID} with kagglehub: {error}. Check the connection, or "
            "put the seven files into data/dt_mart/ yourself, or use source simulated or csv"
        ) from error
