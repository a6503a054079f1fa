"""The DT Mart download, from a fake Kaggle: it brings what is missing and touches nothing."""

import shutil
import socket
from pathlib import Path
from zipfile import BadZipFile

import pytest

from helpers import contents
from mmm_demo.sources.download import DATASET_ID, DT_MART_FILES, download_dt_mart, newest_folder


class FakeKaggle:
    """Stands in for `kagglehub.dataset_download`: the seven files in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.asked = cache, []
        cache.mkdir()
        for name in DT_MART_FILES:
            (cache / name).write_bytes(f"{name} as Kaggle has it\r\n".encode() * 50)

    def __call__(self, handle: str, force_download: bool) -> str:
        self.asked.append(handle)
        self.forced = force_download
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


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionError("offline"),
        ValueError("bad handle"),
        "CredentialError",
        "DataCorruptionError",
        BadZipFile("cut off"),
    ],
)
def test_any_failure_of_kaggle_says_what_was_tried_and_what_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception | str
) -> None:
    if isinstance(failure, str):  # one of its own, which take seconds to load
        from kagglehub import exceptions

        failure = getattr(exceptions, failure)("who are you?")

    def fail(handle: str, force_download: bool) -> str:
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


def test_forced_download_goes_beside_the_old_one_and_is_the_newest(
    tmp_path: Path, kaggle: FakeKaggle
) -> None:
    data = tmp_path / "data"
    first = download_dt_mart(data)
    before = contents(first)
    second = download_dt_mart(data, force=True)
    third = download_dt_mart(data, force=True)
    assert kaggle.forced
    assert first < second < third == newest_folder(data)
    assert contents(first) == before
    assert sorted(path.name for path in third.iterdir()) == sorted(DT_MART_FILES)
    assert download_dt_mart(data) == third
    assert len(kaggle.asked) == 3
