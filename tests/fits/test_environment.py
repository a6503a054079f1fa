"""What the draws hang on: really installed versions, this processor, and the arithmetic."""

import json
import logging
import os
import subprocess
from importlib import metadata

import pytensor
import pytest

from helpers import PYTHON
from mmm_demo.fits.cores import usable_cores
from mmm_demo.fits.environment import (
    FAST,
    PACKAGES,
    STRICT,
    environment,
    environment_params,
)


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
    monkeypatch.setattr("mmm_demo.fits.environment.PACKAGES", ("numpy", "no-such-package"))
    assert environment()["no-such-package"] == "none"


def test_whoever_reports_the_arithmetic_also_sets_it():
    """A worker of a cluster imports what reports it long before it builds a model."""
    script = "from mmm_demo.fits.environment import environment; print(environment()['arithmetic'])"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == STRICT


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_what_a_process_needs_is_set_in_one_place(given, threads):
    script = (
        "import logging, os, mmm_demo.fits.build\n"
        "print(os.environ['OMP_NUM_THREADS'], logging.getLogger('pymc').level)"
    )
    bare = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [PYTHON, "-c", script], capture_output=True, text=True, check=True, env=bare | given
    )
    assert done.stdout.split() == [threads, str(logging.WARNING)]


def test_the_model_is_loaded_with_one_thread_of_blas_per_chain():
    """NumPy and PyTensor read it when they are loaded, so what is asked is what they did."""
    script = (
        "import json, mmm_demo.model, threadpoolctl\n"
        "print(json.dumps([pool['num_threads'] for pool in threadpoolctl.threadpool_info()]))"
    )
    bare = {name: text for name, text in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [PYTHON, "-c", script], capture_output=True, text=True, check=True, env=bare
    )
    found = json.loads(done.stdout)
    assert found and set(found) == {1}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be held here")
def test_cores_are_those_that_the_process_may_use():
    every = os.sched_getaffinity(0)
    assert usable_cores() == len(every)
    try:
        os.sched_setaffinity(0, {min(every)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, every)
