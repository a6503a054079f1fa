"""The walls between the modules: who may import what. ARCHITECTURE.md gives the order."""

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from helpers import PROJECT

PACKAGE = "mmm_demo"
SOURCES = {
    path.stem: path
    for path in sorted((PROJECT / "src" / PACKAGE).glob("*.py"))
    if path.stem != "__init__"
}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in SOURCES.items()}
every_module = pytest.mark.parametrize("module", SOURCES)

PLOTTING = {"plot_style", "plotting", "plotting_chains", "plotting_checks", "plotting_explore"}
FIGURE_TYPE = {"figures", "page", "explore_page"}  # name the type that they hand on
WALLS = {
    "mlflow": {"tracking", "registry"},
    "pymc_marketing": {"model", "optimization"},
    "pymc_extras": {"model"},
    "pymc": {"model"},
    "pytensor": {"model"},
    "nutpie": {"model"},
    "arviz": {"diagnostics"},
    "h5netcdf": {"trace"},
    "kagglehub": {"download"},
    "optuna": set(),
    "jinja2": {"page"},
    "scipy": {"contraction", "explore_measures"},
    "matplotlib": PLOTTING | FIGURE_TYPE,
    "seaborn": PLOTTING,
    "click": {"cli"},
    "rich": {"cli"},
    "pydantic": {"priors", "config"},
    "yaml": {"config", "registry"},  # registry reads the pins of python_env.yaml
    "pickle": set(),
    "cloudpickle": set(),
    "joblib": set(),
    "importlib": set(),
    "runpy": set(),
}
MAX_LINES = 350
LONGER = {
    "config": "every section of an experiment, and reading and writing it, in one place",
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Return every imported module, wherever in the file it is imported, as a dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            module = str(node.module)
            inside = [f"{module}.{alias.name}" for alias in node.names]
            yield from inside if module == PACKAGE else [module]


def vendors(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(TREES[module])}


def rooms(module: str) -> set[str]:
    return {name.split(".")[1] for name in imports(TREES[module]) if name.startswith(PACKAGE)}


def layers() -> list[str]:
    """Return the modules in the order of the table in ARCHITECTURE.md."""
    text = (PROJECT / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_architecture_names_every_module_once() -> None:
    assert sorted(layers()) == sorted(SOURCES)


@every_module
def test_no_module_imports_one_that_comes_later(module: str) -> None:
    order = {name: place for place, name in enumerate(layers())}
    upward = {name for name in rooms(module) if order[name] >= order[module]}
    assert not upward, f"{module} imports {upward}, which ARCHITECTURE.md lists after it"


@pytest.mark.parametrize("vendor", WALLS)
def test_vendor_stays_behind_its_wall(vendor: str) -> None:
    users = {module for module in SOURCES if vendor in vendors(module)}
    assert users <= WALLS[vendor], f"{vendor} is imported by {users - WALLS[vendor]}"


@every_module
def test_every_vendor_has_a_wall_or_is_common_ground(module: str) -> None:
    common = {PACKAGE, "numpy", "pandas", "xarray"} | set(sys.stdlib_module_names)
    assert vendors(module) <= common | set(WALLS)


def test_the_core_of_the_verdict_needs_nothing() -> None:
    assert vendors("gate") <= sys.stdlib_module_names
    assert vendors("outputs") <= sys.stdlib_module_names
    # MLflow imports it in every process of every project: it must cost nothing and need nothing.
    assert vendors("store_defaults") <= sys.stdlib_module_names


def test_fit_never_plans_and_plan_never_fits() -> None:
    assert "optimization" not in rooms("model")
    called = {name for name in names(TREES["optimization"]) if name.startswith(("sample_", "fit"))}
    assert called <= {"sample_posterior_predictive", "fitted"}, called


def names(tree: ast.AST) -> set[str]:
    """Return every name and attribute that a module uses."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@every_module
def test_nothing_runs_what_a_file_names(module: str) -> None:
    running = {"eval", "exec", "__import__", "import_module", "unsafe_load", "full_load"}
    assert not names(TREES[module]) & running


@every_module
def test_no_hidden_state_of_mlflow(module: str) -> None:
    fluent = {"autolog", "start_run", "end_run", "active_run", "set_experiment", "log_metric"}
    fluent |= {"set_tracking_uri", "set_registry_uri", "log_params", "log_metrics", "log_artifacts"}
    assert not names(TREES[module]) & fluent


@every_module
def test_nothing_is_ever_deleted(module: str) -> None:
    assert not names(TREES[module]) & {"rmtree", "unlink", "rmdir", "removedirs", "delete_run"}


@every_module
def test_no_failure_is_swallowed(module: str) -> None:
    for handler in ast.walk(TREES[module]):
        if not isinstance(handler, ast.ExceptHandler):
            continue
        caught = ast.unparse(handler.type) if handler.type else "everything"
        if caught in ("everything", "Exception", "BaseException"):
            ends = handler.body[-1]
            assert isinstance(ends, ast.Raise), f"{module}:{handler.lineno} swallows {caught}"


@every_module
def test_module_is_short(module: str) -> None:
    lines = len(SOURCES[module].read_text("utf-8").splitlines())
    if module in LONGER:
        assert lines > MAX_LINES, f"{module} is short now: take it off the list"
    else:
        assert lines <= MAX_LINES, f"{module} has {lines} lines: it is two things"


def test_the_walls_see_an_import_anywhere() -> None:
    text = "def f():\n  if True:\n    import mlflow.entities as e\n    from mmm_demo import gate\n"
    assert set(imports(ast.parse(text))) == {"mlflow.entities", "mmm_demo.gate"}
