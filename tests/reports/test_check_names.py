"""Names in words: every check and battery that the project makes has one."""

import ast

from evidence_tables import backtest_table, placebo_table, recovery_table, sensitivity_table
from helpers import PROJECT
from mmm_demo.checks.gate import REQUIRED
from mmm_demo.evidence.batteries import REFITTED
from mmm_demo.plots.evidence import FIGURES
from mmm_demo.reports.card import TOLD
from mmm_demo.reports.check_names import CHECK_NAMES, QUESTIONS, battery_name, check_name
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES, FIT_BATTERIES


def constant_names() -> set[str]:
    """Return the names of all checks that the source makes with a literal name."""
    found = set()
    folder = PROJECT / "src" / "mmm_demo"
    for path in (*folder.glob("checks/*.py"), *folder.glob("evidence/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Check":
                named = [item.value for item in node.keywords if item.arg == "name"]
                for given in (*named, *node.args[:1]):
                    if isinstance(given, ast.Constant):
                        found.add(given.value)
    return found


def test_every_check_has_a_name_in_words() -> None:
    literal = constant_names()
    assert {"backtest_crps_skill", "pareto_k_max", "placebo_believed"} <= literal  # it does look
    assert not (literal | set(REQUIRED)) - set(CHECK_NAMES)
    assert len(set(CHECK_NAMES.values())) == len(CHECK_NAMES)
    assert not [words for words in CHECK_NAMES.values() if "_" in words]


def test_every_battery_has_a_question() -> None:
    assert {*FIT_BATTERIES, *EVIDENCE_BATTERIES} < set(QUESTIONS)
    assert set(QUESTIONS) - {*FIT_BATTERIES, *EVIDENCE_BATTERIES} == {
        "prior",
        "convergence",
        "decomposition",
    }
    assert all(question.endswith("?") for question in QUESTIONS.values())


def test_an_unknown_name_is_still_read_as_words() -> None:
    assert check_name("some_new_check") == "some new check"
    assert battery_name("posterior_predictive") == "posterior predictive"


def test_every_battery_of_refits_has_its_record_its_figure_and_its_part_of_the_card() -> None:
    """Adding one is a file, a line and these entries; what was forgotten is said here."""
    assert tuple(REFITTED) == EVIDENCE_BATTERIES
    assert {name: battery.name for name, battery in REFITTED.items()} == dict(
        zip(EVIDENCE_BATTERIES, EVIDENCE_BATTERIES, strict=True)
    )
    assert set(FIGURES) == set(TOLD) == set(REFITTED)


def test_the_record_of_a_battery_names_the_very_checks_that_it_makes() -> None:
    tables = {
        "backtest": backtest_table(),
        "recovery": recovery_table(),
        "placebo": placebo_table(),
        "sensitivity": sensitivity_table(),
    }
    assert set(tables) == set(REFITTED)
    for name, battery in REFITTED.items():
        made = battery.judge(tables[name])
        assert {check.name for check in made} == set(battery.checks), name
        assert {check.stage for check in made} == {name}
        true_or_false = {column for column in tables[name] if tables[name][column].dtype == bool}
        assert battery.flags | {"converged"} == true_or_false, name
