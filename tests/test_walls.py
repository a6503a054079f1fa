"""The walls between the modules: who may import what. ARCHITECTURE.md gives the order."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator

import pytest

from helpers import PROJECT

PACKAGE = "mmm_demo"
ROOT = PROJECT / "src" / PACKAGE
# Modules of the subpackages are named as they are imported: `checks.backtest`.
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.stem != "__init__"
}
PACKAGES = {PACKAGE} | {f"{PACKAGE}.{name.rpartition('.')[0]}" for name in SOURCES if "." in name}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in SOURCES.items()}
every_module = pytest.mark.parametrize("module", SOURCES)

PLOTTING = {"plot_style"} | {name for name in SOURCES if name.startswith("plotting")}
CHECKS = {name for name in SOURCES if name.startswith("checks.")}
# These name the type that they hand on.
FIGURE_TYPE = {"figures", "page", "explore_page", "compare_page", "plan_page"}
WALLS = {
    "mlflow": {"tracking", "registry", "gated_store", "evidence_store", "record"}
    | {"run_search", "store_creation", "store_health"},
    "pymc_marketing": {"model", "planning.library"},
    "pymc_extras": {"model"},
    "pymc": {"model"},
    # environment reads one setting of it
    "pytensor": {"model", "environment"},
    "llvmlite": {"environment"},
    "nutpie": {"refit"},
    "arviz": {"diagnostics", "reproduce"} | CHECKS,
    "h5netcdf": {"trace"},
    "kagglehub": {"download"},
    "optuna": {"sweeps.search"},
    "distributed": {"sweeps.workers"},
    "psycopg": {"store_lock"},
    "sqlalchemy": {"store_health"},
    "packaging": {"doctor.pins"},
    "jinja2": {"page"},
    "scipy": {"contraction", "explore_measures", "checks.recovery", "checks.specification"}
    | {"planning.feasible", "planning.solver", "planning.honesty"},
    "matplotlib": PLOTTING | FIGURE_TYPE,
    "seaborn": PLOTTING,
    "click": {"cli", "cli_care", "cli_server", "cli_sweep", "cli_values"},
    "rich": {"terminal", "progress"},
    "pydantic": {"priors", "limits", "data_config", "config", "yaml_file", "experiment_file"}
    | {"planning.scenario", "sweeps.space"},
    # registry reads the pins of python_env.yaml
    "yaml": {"yaml_file", "registry"},
    "pickle": set(),
    "cloudpickle": set(),
    "joblib": set(),
    # versions of packages; what runs code by its name is refused below
    "importlib": {"doctor.pins", "environment", "sweeps.versions"},
    "runpy": set(),
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
            yield from inside if module in PACKAGES else [module]


def vendors(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(TREES[module])}


def rooms(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    return own(imports(TREES[module]))


def own(names: Iterable[str]) -> set[str]:
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.split(".")[0] == PACKAGE}


def layers(text: str) -> list[str]:
    """Return the modules in the order of the table of ARCHITECTURE.md."""
    table = re.search(r"^## Modules$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| *(`.*?) *\|", table[1] if table else "", flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]


def upward(module: str, imported: set[str], order: list[str]) -> set[str]:
    """Return the imported modules that do not stand before a module, or nowhere at all."""
    return imported - set(order[: order.index(module)] if module in order else ())


def architecture() -> str:
    return (PROJECT / "ARCHITECTURE.md").read_text("utf-8")


def test_architecture_names_every_module_once() -> None:
    assert sorted(layers(architecture())) == sorted(SOURCES)


@every_module
def test_no_module_imports_one_that_comes_later(module: str) -> None:
    found = upward(module, rooms(module), layers(architecture()))
    assert not found, f"{module} imports {found}, which ARCHITECTURE.md does not list before it"


@every_module
def test_every_own_import_is_of_a_module(module: str) -> None:
    assert rooms(module) <= set(SOURCES), "import names from the module that has them"


@pytest.mark.parametrize("vendor", WALLS)
def test_vendor_stays_behind_its_wall(vendor: str) -> None:
    users = {module for module in SOURCES if vendor in vendors(module)}
    assert users <= WALLS[vendor], f"{vendor} is imported by {users - WALLS[vendor]}"


@pytest.mark.parametrize("vendor", WALLS)
def test_every_wall_stands_around_rooms_that_are_there(vendor: str) -> None:
    assert set(SOURCES) >= WALLS[vendor]


def test_packages_themselves_hold_nothing() -> None:
    for path in ROOT.rglob("__init__.py"):
        assert not set(imports(ast.parse(path.read_text("utf-8")))), path


@every_module
def test_every_vendor_has_a_wall_or_is_common_ground(module: str) -> None:
    common = {PACKAGE, "numpy", "pandas", "xarray"} | set(sys.stdlib_module_names)
    assert vendors(module) <= common | set(WALLS)


def test_the_core_of_the_verdict_needs_nothing() -> None:
    assert vendors("gate") <= sys.stdlib_module_names
    assert vendors("names") <= sys.stdlib_module_names
    # MLflow imports it in every process of every project: it must cost nothing and need nothing.
    assert vendors("store_defaults") <= sys.stdlib_module_names


def test_fit_never_plans_and_plan_never_fits() -> None:
    assert "optimization" not in rooms("model") | rooms("refit")
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


# --- the tests see what they are meant to see ---------------------------------------------------


def test_the_walls_see_an_import_anywhere() -> None:
    text = "def f():\n  if True:\n    import mlflow.entities as e\n    from mmm_demo import gate\n"
    assert set(imports(ast.parse(text))) == {"mlflow.entities", "mmm_demo.gate"}


@pytest.mark.parametrize(
    "text",
    [
        "from mmm_demo.checks import backtest",
        "from mmm_demo.checks import backtest as b",
        "from mmm_demo.checks.backtest import folds",
        "import mmm_demo.checks.backtest",
        "def f():\n  from mmm_demo.checks.backtest import folds, score_weeks",
    ],
)
def test_the_walls_see_a_module_of_a_subpackage(text: str) -> None:
    found = own(imports(ast.parse(text)))
    assert found == {"checks.backtest"} and found <= set(SOURCES)


@pytest.mark.parametrize(
    "text",
    [
        "import mmm_demo",
        "import mmm_demo.checks",
        "from mmm_demo import checks",
        "from mmm_demo.checks import *",
        "from mmm_demo import no_such_module",
    ],
)
def test_the_walls_refuse_an_import_of_no_single_module(text: str) -> None:
    assert not own(imports(ast.parse(text))) <= set(SOURCES)


def test_the_walls_refuse_a_relative_import() -> None:
    with pytest.raises(AssertionError, match="relative import in line 1"):
        list(imports(ast.parse("from .backtest import folds")))


def test_the_walls_see_every_file_of_the_package() -> None:
    assert {"gate", "checks.backtest"} <= set(SOURCES)
    assert {"mmm_demo.checks", "mmm_demo.planning", "mmm_demo.sweeps"} <= PACKAGES
    assert {"checks.backtest", "checks.recovery"} <= CHECKS and "gate" not in CHECKS


TABLE = """# Architecture

| `before` | is no module |

## Modules

| module | the one thing it does | vendor it walls in |
|---|---|---|
| `gate` | checks | - |
| `checks.refits`, `checks.backtest` | judges `nothing` else | arviz |
|`tight`|no spaces|-|

## Checks

| `after` | is no module either |
"""


def test_table_of_the_architecture_is_read_in_order() -> None:
    assert layers(TABLE) == ["gate", "checks.refits", "checks.backtest", "tight"]
    assert layers("no table") == []


def test_import_upward_is_seen() -> None:
    order = layers(TABLE)
    assert upward("checks.backtest", {"gate", "checks.refits"}, order) == set()
    assert upward("checks.refits", {"gate", "checks.backtest"}, order) == {"checks.backtest"}
    assert upward("gate", {"gate"}, order) == {"gate"}
    assert upward("tight", {"unlisted"}, order) == {"unlisted"}
    assert upward("unlisted", {"gate"}, order) == {"gate"}
