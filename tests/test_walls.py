"""The walls between the modules: who may import what. ARCHITECTURE.md gives the order."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from each import each
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
every_module = each(module=SOURCES)

FORMS = {name for name in SOURCES if name.startswith("forms.")}  # graphs; only where they are made
PLOTTING = {name for name in SOURCES if name.startswith("plots.")}
CHECKS = {name for name in SOURCES if name.startswith(("checks.", "evidence."))}
# These name the type that they hand on.
FIGURE_TYPE = {
    "reports.figures",
    "reports.page",
    "reports.explore_page",
    "reports.compare_page",
    "reports.plan_page",
}
WALLS = {
    "mlflow": {
        "store.runs",
        "store.registry",
        "store.gated_store",
        "store.evidence_store",
        "store.provenance",
    }
    | {"store.creation", "store.health"},
    "pymc_marketing": {"fits.build", "fits.likelihood", "fits.sampler", "planning.library"} | FORMS,
    "pymc_extras": {"fits.build", "fits.likelihood"} | FORMS,
    "pymc": {"fits.build", "fits.likelihood", "fits.kernel", "fits.sampler"} | FORMS,
    # environment sets one switch of it, sampler looks into its compile cache
    "pytensor": {"fits.build", "fits.kernel", "fits.sampler", "fits.environment"} | FORMS,
    "numba": {"fits.kernel"},
    "llvmlite": {"fits.environment"},
    "nutpie": {"fits.kernel", "fits.sampler"},
    "arviz": CHECKS,
    "h5netcdf": {"fits.trace"},
    "kagglehub": {"sources.download"},
    "holidays": {"sources.holidays"},
    "optuna": {"sweeps.search"},
    "distributed": {"sweeps.workers"},
    "psycopg": {"store.locks"},
    "sqlalchemy": {"store.health"},
    "psutil": {"store.process"},
    "jinja2": {"reports.page"},
    "scipy": {
        "forms.noise.student_t",
        "fits.kernel",
        "fits.prior",
        "sources.explore_measures",
        "evidence.recovery",
        "checks.specification",
    }
    | {"planning.feasible", "planning.solver", "planning.honesty"},
    "matplotlib": PLOTTING | FIGURE_TYPE,
    "seaborn": PLOTTING,
    "click": {"cli.verbs", "cli.care", "cli.server", "cli.fits", "cli.values"},
    "rich": {"cli.terminal", "cli.progress"},
    "pydantic": {
        "settings.priors",
        "settings.limits",
        "settings.kinds",
        "settings.data",
        "settings.experiment",
        "settings.yaml_file",
        "settings.experiment_file",
    }
    | {"settings.scenario", "settings.sweep"},
    # registry reads the pins of python_env.yaml
    "yaml": {"settings.yaml_file", "store.registry"},
    "pickle": set(),
    "cloudpickle": set(),
    "joblib": set(),
    # versions of packages; what runs code by its name is refused below
    "importlib": {"fits.environment", "sweeps.versions"},
    "runpy": set(),
    # what changes the whole process
    "gc": {"cli.process"},
    "signal": {"cli.process"},
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


@cache
def vendors(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(TREES[module])}


def rooms(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    return own(imports(TREES[module]))


def own(names: Iterable[str]) -> set[str]:
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.split(".")[0] == PACKAGE}


def listed(text: str) -> dict[str, str]:
    """Return the rooms in the order of the list of ARCHITECTURE.md, with what they are."""
    part = re.search(r"^## Rooms$.*?^```text$(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = (part[1] if part else "").strip().splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def upward(module: str, imported: set[str], order: list[str]) -> set[str]:
    """Return the imported modules that are in no room above a module's own, or in none at all."""
    above = order[: order.index(room_of(module)) + 1] if room_of(module) in order else []
    return {name for name in imported if room_of(name) not in above}


def architecture() -> str:
    return (PROJECT / "ARCHITECTURE.md").read_text("utf-8")


DOORS = {"config", "data", "model", "diagnostics", "optimization", "plotting"}
FACE = ROOT / "__init__.py"
RUNNING = {"eval", "exec", "__import__", "import_module", "unsafe_load", "full_load"}
MOST_ENTRIES = 22  # what a newcomer sees at once


def test_a_newcomer_sees_the_rooms_and_their_doors() -> None:
    entries = {path.stem for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= MOST_ENTRIES
    assert entries >= DOORS


def test_no_room_goes_in_by_a_door() -> None:
    """Doors are for those outside: within, everything is where it is."""
    inside = [name for name in SOURCES if "." in name]
    assert not [name for name in inside if rooms(name) & DOORS]
    for door in DOORS:
        assert rooms(door) and not rooms(door) & DOORS


def test_architecture_lists_every_room_with_its_own_words() -> None:
    rooms_there = {path.parent.name: path for path in ROOT.glob("*/__init__.py")}
    told = listed(architecture())
    assert sorted(told) == sorted(rooms_there)
    for room, path in rooms_there.items():
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))) == told[room], room


def test_the_paragraph_of_a_room_names_modules_that_are_in_it() -> None:
    paragraphs = re.findall(r"^\*\*(\w+)\.\*\* (.*?)\n\n", architecture(), re.MULTILINE | re.DOTALL)
    assert [room for room, _ in paragraphs] == list(listed(architecture()))
    for room, text in paragraphs:
        for name in re.findall(r"`(\w+)/?`", text):
            there = (ROOT / room / f"{name}.py", ROOT / room / name)
            assert any(path.exists() for path in there), f"{room} has no {name}"


@every_module
def test_no_module_imports_one_of_a_later_room(module: str) -> None:
    order = list(listed(architecture()))
    if "." in module:
        found = upward(module, rooms(module), order)
        assert not found, f"{module} imports {found}, which is no room above it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter({name: rooms(name) for name in SOURCES}).prepare()


@every_module
def test_every_own_import_is_of_a_module(module: str) -> None:
    assert rooms(module) <= set(SOURCES), "import names from the module that has them"


@each(vendor=WALLS)
def test_vendor_stays_behind_its_wall(vendor: str) -> None:
    users = {module for module in SOURCES if vendor in vendors(module)}
    assert users <= WALLS[vendor], f"{vendor} is imported by {users - WALLS[vendor]}"


def test_forms_import_their_graphs_where_they_are_made() -> None:
    """Settings need the names of forms, and plans their arrays, long before any graph."""
    light = {PACKAGE, "numpy"} | set(sys.stdlib_module_names)
    for module in FORMS:
        found = {name.split(".")[0] for name in imports(without_functions(TREES[module]))}
        assert found <= light, f"{module} imports {found - light} at once"


def without_functions(tree: ast.Module) -> ast.Module:
    """Return what a module runs when it is imported."""
    kept = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    bare = [
        ast.Module([item for item in node.body if not isinstance(item, ast.FunctionDef)], [])
        if isinstance(node, ast.ClassDef)
        else node
        for node in kept
    ]
    return ast.Module(bare, [])


@each(vendor=WALLS)
def test_every_wall_stands_around_rooms_that_are_there(vendor: str) -> None:
    assert set(SOURCES) >= WALLS[vendor]


def test_packages_themselves_hold_nothing() -> None:
    """But for the public face, and for what must be set before NumPy is loaded."""
    for path in set(ROOT.rglob("__init__.py")) - {FACE}:
        needed = {"os"} if path.parent.name == "fits" else set()
        assert set(imports(ast.parse(path.read_text("utf-8")))) == needed, path


def at_once(tree: ast.Module) -> set[str]:
    """Return what a module imports when it is imported, and not for its types or in functions."""
    bare = without_functions(tree)
    for_types = [
        node
        for node in bare.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return set(imports(ast.Module([node for node in bare.body if node not in for_types], [])))


def test_the_public_face_loads_nothing_before_it_is_asked() -> None:
    tree = ast.parse(FACE.read_text("utf-8"))
    assert at_once(tree) <= sys.stdlib_module_names | {"collections.abc"}
    used = set(imports(tree))
    assert {name.split(".")[0] for name in used} <= sys.stdlib_module_names | {PACKAGE}
    assert own(used) <= set(SOURCES)
    assert not names(tree) & RUNNING


def test_what_a_module_imports_at_once_is_seen() -> None:
    text = (
        "import a\nif TYPE_CHECKING:\n  import b\nif True:\n  import c\n"
        "def f():\n  import d\nclass E:\n  import e\n"
    )
    assert at_once(ast.parse(text)) == {"a", "c", "e"}


@every_module
def test_every_vendor_has_a_wall_or_is_common_ground(module: str) -> None:
    common = {PACKAGE, "numpy", "pandas", "xarray"} | set(sys.stdlib_module_names)
    assert vendors(module) <= common | set(WALLS)


def test_the_core_of_the_verdict_needs_nothing() -> None:
    core = {"checks.gate"}
    while more := set().union(*(rooms(module) for module in core)) - core:
        core |= more
    assert core == {"checks.gate", "settings.limit_table"}
    for module in core:
        assert vendors(module) <= {PACKAGE} | sys.stdlib_module_names, module
    assert vendors("settings.names") <= sys.stdlib_module_names
    # MLflow imports it in every process of every project: it must cost nothing and need nothing.
    assert vendors("settings.project") <= sys.stdlib_module_names


def test_fit_never_plans_and_plan_never_fits() -> None:
    fitting = ("fits.build", "fits.kernel", "fits.sampler", "evidence.refit", "jobs.fit")
    assert "planning.optimize" not in set().union(*map(rooms, fitting))
    called = {
        name for name in names(TREES["planning.optimize"]) if name.startswith(("sample_", "fit"))
    }
    assert called <= {"sample_posterior_predictive", "fitted"}, called


def names(tree: ast.AST) -> set[str]:
    """Return every name and attribute that a module uses."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@every_module
def test_nothing_runs_what_a_file_names(module: str) -> None:
    assert not names(TREES[module]) & RUNNING


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
    body = ("if True:", "  import mlflow.entities as e", "  from mmm_demo.checks import gate")
    text = "def f():\n" + "".join(f"  {line}\n" for line in body)
    assert set(imports(ast.parse(text))) == {"mlflow.entities", "mmm_demo.checks.gate"}


@pytest.mark.parametrize(
    "text",
    [
        "from mmm_demo.evidence import backtest",
        "from mmm_demo.evidence import backtest as b",
        "from mmm_demo.evidence.backtest import folds",
        "import mmm_demo.evidence.backtest",
        "def f():\n  from mmm_demo.evidence.backtest import folds, score_weeks",
    ],
)
def test_the_walls_see_a_module_of_a_subpackage(text: str) -> None:
    found = own(imports(ast.parse(text)))
    assert found == {"evidence.backtest"} and found <= set(SOURCES)


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
    assert {"checks.gate", "evidence.backtest", "store.doctor.store", "cli.verbs"} <= set(SOURCES)
    assert {"mmm_demo.checks", "mmm_demo.planning", "mmm_demo.store.doctor"} <= PACKAGES
    assert {"checks.gate", "evidence.recovery"} <= CHECKS and "store.runs" not in CHECKS


ROOMS = """# Architecture

```text
before   is no room
```

## Rooms

Words.

```text
checks     What is measured.
evidence   What more there is.
```

## Rules

```text
after   is no room either
```
"""


def test_rooms_of_the_architecture_are_read_in_order() -> None:
    assert listed(ROOMS) == {"checks": "What is measured.", "evidence": "What more there is."}
    assert listed("no list") == {}


def test_import_upward_is_seen() -> None:
    order = list(listed(ROOMS))
    assert upward("evidence.backtest", {"checks.gate", "evidence.refit"}, order) == set()
    assert upward("checks.gate", {"evidence.backtest"}, order) == {"evidence.backtest"}
    assert upward("evidence.backtest", {"unlisted.room"}, order) == {"unlisted.room"}
    assert upward("unlisted.room", {"checks.gate"}, order) == {"checks.gate"}


def test_a_circle_is_seen() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
