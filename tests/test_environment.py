"""What the draws hang on: really installed versions, this processor, and the arithmetic."""

from importlib import metadata

import pytensor
import pytest

from mmm_demo.environment import FAST, PACKAGES, STRICT, environment, environment_params


def test_it_names_versions_processor_and_arithmetic():
    found = environment()
    assert {name: found[name] for name in PACKAGES} == {
        name: metadata.version(name) for name in PACKAGES
    }
    assert all(found.values())
    assert environment_params() == {f"environment.{name}": found[name] for name in found}


@pytest.mark.parametrize(("fastmath", "told"), [(True, FAST), (False, STRICT)])
def test_the_arithmetic_is_what_the_compiler_is_told(monkeypatch, fastmath, told):
    monkeypatch.setattr(pytensor.config, "numba__fastmath", fastmath)
    assert environment()["arithmetic"] == told


def test_a_package_that_is_not_there_is_said_to_be_none(monkeypatch):
    monkeypatch.setattr("mmm_demo.environment.PACKAGES", ("numpy", "no-such-package"))
    assert environment()["no-such-package"] == "none"
