"""Pins held against the project and what is installed: the project's own files, and broken ones."""

import shutil
import sys
from importlib import metadata

import pytest

from helpers import PROJECT
from mmm_demo.store.doctor.pins import pin_findings

FILES = ("pyproject.toml", "requirements.lock", "python_env.yaml")


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        shutil.copyfile(PROJECT / name, tmp_path / name)
    return tmp_path


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_projects_own_pins_are_in_order(root):
    assert pin_findings(root) == []


def test_a_dependency_that_was_added_without_pins_is_found(root):
    edit(root / "pyproject.toml", '"click>=8.1",', '"click>=8.1", "left-pad>=1",')
    (found,) = pin_findings(root)
    assert found.where == "python_env.yaml"
    assert "left-pad is not pinned" in found.what
    assert found.mend == "uv run .ci/freeze"
    assert not found.safe


def test_a_pin_outside_the_range_is_found(root):
    edit(root / "pyproject.toml", '"click>=8.1",', '"click>=99",')
    (found,) = pin_findings(root)
    assert "click" in found.what and "is not >=99" in found.what


@pytest.mark.parametrize("own", [True, False])
def test_an_environment_that_is_not_the_pinned_one_is_found(root, monkeypatch, own):
    """`uv sync` mends the project's own environment; in another it would change nothing."""
    monkeypatch.setattr("sys.prefix", str(root / ".venv" if own else root / "elsewhere"))
    now = metadata.version("click")
    for name in ("requirements.lock", "python_env.yaml"):
        edit(root / name, f"click=={now}", "click==8.1.99")
    (found,) = pin_findings(root)
    install = f"uv pip install --python {sys.executable} --requirement requirements.lock"
    assert (found.where, found.mend) == ("installed packages", "uv sync" if own else install)
    assert f"click {now} instead of 8.1.99" in found.what


def test_a_package_that_is_not_installed_is_found(root):
    line = "  - 'no-such-package==1.0'\n"
    with (root / "python_env.yaml").open("a") as file:
        file.write(line)
    with (root / "requirements.lock").open("a") as file:
        file.write("no-such-package==1.0\n")
    (found,) = pin_findings(root)
    assert "no-such-package none instead of 1.0" in found.what


def test_two_files_of_pins_that_disagree_are_found(root):
    now = metadata.version("click")
    edit(root / "requirements.lock", f"click=={now}", "click==8.1.99")
    (found,) = pin_findings(root)
    assert found.where == "requirements.lock"
    assert f"click 8.1.99 instead of {now}" in found.what


def test_a_lock_without_a_package_is_found(root):
    (root / "requirements.lock").write_text("# nothing\n")
    (found,) = pin_findings(root)
    assert " none instead of " in found.what and " more)" in found.what


def test_a_pin_for_another_system_is_not_asked_for(root):
    with (root / "python_env.yaml").open("a") as file:
        file.write("""  - "no-such-package==1.0 ; sys_platform == 'elsewhere'"\n""")
    assert pin_findings(root) == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_no_silence(root, name):
    (root / name).unlink()
    with pytest.raises(OSError, match=name):
        pin_findings(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("python_env.yaml", "dependencies: []\n"),
        ("python_env.yaml", "dependencies: [click==8, '==']\n"),
        ("python_env.yaml", "dependencies: [\n"),
        ("requirements.lock", "click ==\n"),
        ("pyproject.toml", "[project\n"),
    ],
)
def test_an_unreadable_file_is_no_silence(root, name, text):
    (root / name).write_text(text)
    with pytest.raises(ValueError, match=r"dependencies|requirement|YAML|Expected|line"):
        pin_findings(root)
