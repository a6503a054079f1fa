"""Names in words: every check and battery that the project makes has one."""

import ast

from helpers import PROJECT
from mmm_demo.checks.gate import REQUIRED
from mmm_demo.settings.check_names import CHECK_NAMES, QUESTIONS, battery_name, check_name
from mmm_demo.settings.limits import EVIDENCE_BATTERIES, FIT_BATTERIES


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
