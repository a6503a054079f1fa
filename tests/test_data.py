"""Where a weekly table comes from: simulated, CSV, and the Kaggle download on a fake Kaggle."""

import shutil
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import plain_experiment
from mmm_demo.config import DataConfig, ExperimentConfig, ModelConfig, from_dict
from mmm_demo.contract import DataError
from mmm_demo.data import (
    DATASET_ID,
    DT_MART_FILES,
    download_dt_mart,
    known_truth,
    load_market,
    read_csv,
)
from mmm_demo.simulate import CHANNELS, CONTROLS, simulate_market

MODEL = ModelConfig(channel_columns=CHANNELS, control_columns=CONTROLS)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and modification time of every file in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- simulated and CSV --------------------------------------------------------------------------


def test_simulated_market_is_loaded_whole(tmp_path: Path) -> None:
    loaded = load_market(DataConfig(seed=3, weeks=120), MODEL, tmp_path)
    pd.testing.assert_frame_equal(
        loaded.table, simulate_market(3, 120).table, check_dtype=False, check_exact=True
    )
    assert loaded.source == "simulated market, seed 3"
    assert loaded.span == "2023-01-02 to 2025-04-14, 120 weeks"
    assert not list(tmp_path.iterdir())


def test_truth_is_known_for_simulated_markets_only() -> None:
    truth = known_truth(DataConfig(seed=3, weeks=120))
    assert truth is not None
    pd.testing.assert_series_equal(truth.roas, simulate_market(3, 120).truth.roas)
    assert known_truth(DataConfig(source="csv", path="a.csv")) is None
    assert known_truth(DataConfig(source="kaggle")) is None


def csv_experiment(**data: object) -> ExperimentConfig:
    model = {"channel_columns": list(CHANNELS), "control_columns": list(CONTROLS)}
    source = {"source": "csv", "path": "data/weekly.csv"} | data
    return from_dict(plain_experiment(model=model, data=source), "test")


@pytest.fixture
def weekly_csv(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "weekly.csv"
    path.parent.mkdir()
    simulate_market(2).table.assign(Note="unused").to_csv(path, index=False)
    return path


def test_csv_gives_the_same_table_and_is_left_alone(tmp_path: Path, weekly_csv: Path) -> None:
    before = contents(tmp_path)
    experiment = csv_experiment()
    loaded = load_market(experiment.data, experiment.model, tmp_path)
    pd.testing.assert_frame_equal(
        loaded.table, simulate_market(2).table, check_dtype=False, check_exact=True
    )
    assert loaded.source == "data/weekly.csv"
    assert contents(tmp_path) == before


def test_csv_is_held_against_the_contract(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table
    table.loc[5, "TV"] = -1.0
    table.to_csv(weekly_csv, index=False)
    experiment = csv_experiment()
    with pytest.raises(DataError) as refused:
        load_market(experiment.data, experiment.model, tmp_path)
    text = str(refused.value)
    assert all(word in text for word in ("data/weekly.csv", "'TV'", "2023-02-06", "-1")), text


def test_lag_of_the_model_reaches_the_contract(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table[:40]
    table.assign(Promotion=np.arange(40) % 2).to_csv(weekly_csv, index=False)
    experiment = csv_experiment()
    assert len(load_market(experiment.data, experiment.model, tmp_path).table) == 40
    longer = ModelConfig(channel_columns=CHANNELS, control_columns=CONTROLS, adstock_max_lag=13)
    with pytest.raises(DataError, match="40 week"):
        load_market(experiment.data, longer, tmp_path)


def test_missing_spend_is_a_fault_unless_it_is_declared_zero(
    tmp_path: Path, weekly_csv: Path
) -> None:
    table = simulate_market(2).table
    table.loc[5, "TV"] = np.nan
    table.to_csv(weekly_csv, index=False)
    refusing, declared = csv_experiment(), csv_experiment(missing_spend="zero")
    with pytest.raises(DataError, match="missing_spend: zero"):
        load_market(refusing.data, refusing.model, tmp_path)
    loaded = load_market(declared.data, declared.model, tmp_path)
    assert loaded.table.loc[5, "TV"] == 0.0
    assert any("'TV'" in warning for warning in loaded.warnings)


def test_missing_csv_says_where_it_was_looked_for(tmp_path: Path) -> None:
    experiment = csv_experiment()
    with pytest.raises(FileNotFoundError) as missing:
        load_market(experiment.data, experiment.model, tmp_path)
    assert str(tmp_path / "data" / "weekly.csv") in str(missing.value)
    assert "data.path" in str(missing.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00\x01", b'a,b\n1,2\n1,2,3,4\n"', b"a,b\n1,2\n1,2,3,4\n"]
)
def test_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weekly.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weekly\.csv is not a readable CSV file"):
        read_csv(path)


def test_folder_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no data file"):
        read_csv(tmp_path)


# --- Kaggle -------------------------------------------------------------------------------------


class FakeKaggle:
    """Stands in for `kagglehub.dataset_download`: the seven files in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.asked = cache, []
        cache.mkdir()
        for name in DT_MART_FILES:
            (cache / name).write_bytes(f"{name} as Kaggle has it\r\n".encode() * 50)

    def __call__(self, handle: str) -> str:
        self.asked.append(handle)
        return str(self.cache)


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKaggle:
    fake = FakeKaggle(tmp_path / "cache")
    monkeypatch.setattr("kagglehub.dataset_download", fake)
    return fake


def test_download_brings_the_seven_files(tmp_path: Path, kaggle: FakeKaggle) -> None:
    folder = download_dt_mart(tmp_path / "data")
    assert folder == tmp_path / "data" / "dt_mart"
    assert kaggle.asked == [DATASET_ID] == ["datatattle/dt-mart-market-mix-modeling"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(DT_MART_FILES)
    for name in DT_MART_FILES:
        assert (folder / name).read_bytes() == (kaggle.cache / name).read_bytes()


def test_nothing_is_asked_for_when_all_files_are_there(tmp_path: Path, kaggle: FakeKaggle) -> None:
    download_dt_mart(tmp_path / "data")
    before = contents(tmp_path)
    download_dt_mart(tmp_path / "data")
    assert len(kaggle.asked) == 1
    assert contents(tmp_path) == before


def test_only_missing_files_are_copied(tmp_path: Path, kaggle: FakeKaggle) -> None:
    folder = tmp_path / "data" / "dt_mart"
    folder.mkdir(parents=True)
    (folder / "Sales.csv").write_bytes(b"my own, better version\n")
    (folder / "notes.txt").write_bytes(b"keep me\n")
    (tmp_path / "data" / "other.csv").write_bytes(b"keep me, too\n")
    before = contents(tmp_path / "data")
    download_dt_mart(tmp_path / "data")
    after = contents(tmp_path / "data")
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(DT_MART_FILES) - 1


def test_interrupted_copy_leaves_no_half_file_and_goes_on(
    tmp_path: Path, kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.copyfile

    def pulled_plug(source: Path, target: Path) -> None:
        if source.name == DT_MART_FILES[3]:
            target.write_bytes(source.read_bytes()[:10])
            raise KeyboardInterrupt
        whole(source, target)

    monkeypatch.setattr(shutil, "copyfile", pulled_plug)
    with pytest.raises(KeyboardInterrupt):
        download_dt_mart(tmp_path / "data")
    folder = tmp_path / "data" / "dt_mart"
    done = {name for name in DT_MART_FILES if (folder / name).exists()}
    assert done == set(DT_MART_FILES[:3])
    before = contents(folder)

    monkeypatch.setattr(shutil, "copyfile", whole)
    download_dt_mart(tmp_path / "data")
    after = contents(folder)
    assert sorted(after) == sorted(DT_MART_FILES)
    assert all(after[name] == before[name] for name in done)
    for name in DT_MART_FILES:
        assert after[name][0] == (kaggle.cache / name).read_bytes()


def test_download_that_lacks_a_file_is_refused_before_anything_is_copied(
    tmp_path: Path, kaggle: FakeKaggle
) -> None:
    (kaggle.cache / "Sales.csv").unlink()
    with pytest.raises(RuntimeError, match=r"lacks Sales\.csv"):
        download_dt_mart(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def say_what_was_tried(text: str) -> bool:
    tried = DATASET_ID in text and "kagglehub" in text
    return tried and "source simulated or csv" in text and "data/dt_mart/" in text


class LoginError(Exception):
    """Like most of kagglehub's errors: a plain Exception."""


@pytest.mark.parametrize(
    "failure", [ConnectionError("offline"), ValueError("bad handle"), LoginError("who are you?")]
)
def test_any_failure_of_kaggle_says_what_was_tried_and_what_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(handle: str) -> str:
        raise failure

    monkeypatch.setattr("kagglehub.dataset_download", fail)
    with pytest.raises(RuntimeError) as refused:
        download_dt_mart(tmp_path / "data")
    assert say_what_was_tried(str(refused.value)) and str(failure) in str(refused.value)
    assert refused.value.__cause__ is failure
    assert not (tmp_path / "data").exists()


def test_real_kagglehub_without_a_network_gives_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RuntimeError) as refused:
        download_dt_mart(tmp_path / "data")
    assert say_what_was_tried(str(refused.value))
    assert not (tmp_path / "data").exists()


def test_kaggle_source_downloads_and_says_how_to_go_on(tmp_path: Path, kaggle: FakeKaggle) -> None:
    with pytest.raises(RuntimeError, match="source csv"):
        load_market(DataConfig(source="kaggle"), MODEL, tmp_path)
    assert (tmp_path / "data" / "dt_mart" / "Sales.csv").is_file()
