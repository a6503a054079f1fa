"""A plan starts at once: nothing on its way loads the libraries that build and sample models."""

import json
import subprocess
from pathlib import Path

import pytest

from helpers import PROJECT, PYTHON
from versions import run_promotion

MODEL_LIBRARIES = {"pymc", "pymc_extras", "pymc_marketing", "pytensor", "nutpie"}
ON_THE_WAY_TO_A_PLAN = (
    "forms.registry",
    "settings.experiment_file",
    "fits.fitted",
    "fits.prior",
    "fits.lift_report",
    "checks.convergence",
    "checks.identification",
    "checks.proof",
    "checks.freshness",
    "planning.optimize",
    "planning.engines",
    "plots.style",
    "plots.results",
    "reports.page",
    "store.runs",
    "store.publish",
    "store.provenance",
    "store.registry",
    "reports.plan_engines",
    "jobs.plan",
    "store.evidence_store",
)


def loaded_after(*steps: str, cwd: Path = PROJECT) -> dict[str, set[str]]:
    """Return, by step, which model libraries a fresh process holds after it."""
    script = (
        "import json, sys\n"
        f"libraries, held = {sorted(MODEL_LIBRARIES)}, {{}}\n"
        f"for step in {steps}:\n"
        "    exec(step)\n"
        "    held[step] = [name for name in libraries if name in sys.modules]\n"
        "print(json.dumps(held))\n"
    )
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return {step: set(held) for step, held in json.loads(done.stdout.splitlines()[-1]).items()}


def test_modules_on_the_way_to_a_plan_load_no_model_library() -> None:
    steps = [f"import mmm_demo.{name}" for name in ON_THE_WAY_TO_A_PLAN]
    held = loaded_after(*steps, "import mmm_demo.fits.build")
    assert held.pop("import mmm_demo.fits.build") >= {"pymc", "pymc_marketing"}  # it would be seen
    assert {step: libraries for step, libraries in held.items() if libraries} == {}
    assert list(held) == steps


LOAD = """
from mmm_demo.store.registry import load_champion
fitted = load_champion('demo').bundle.fitted
"""
SOLVE = """
from mmm_demo.config import BudgetConfig
from mmm_demo.optimization import optimize_budget
assert optimize_budget(fitted, BudgetConfig()).total_budget > 0
"""
BUILD = "fitted.mmm"


@pytest.mark.slow
def test_a_champion_is_proven_and_its_budget_planned_without_a_model_library(
    make_version, project
) -> None:
    make_version()
    run_promotion()
    held = loaded_after(LOAD, SOLVE, BUILD, cwd=project)
    assert (held[LOAD], held[SOLVE]) == (set(), set())
    assert "pymc_marketing" in held[BUILD]  # it would be seen
