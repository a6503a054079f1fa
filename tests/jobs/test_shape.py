"""Every verb is one file in `jobs`, whose function takes what, where and who is told, in order."""

import ast

from helpers import PROJECT
from mmm_demo.cli.verbs import GROUPS

JOBS = PROJECT / "src" / "mmm_demo" / "jobs"
ON_THE_SPOT = {"ui", "doctor", "server"}  # look or serve, and make no run
FILES = {"optimize": "plan"}  # a verb whose job is called otherwise
ORDER = ["root", "say", "watch", "tell", "data", "parent", "beside", "bar"]


def verbs_of(name: str) -> dict[str, list[str]]:
    """Return the functions `run_VERB` of a file with the names of their positional arguments."""
    tree = ast.parse((JOBS / f"{name}.py").read_text("utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        node.name: [item.arg for item in node.args.args]
        for node in found
        if node.name.startswith("run_")
    }


def test_every_verb_has_a_file_of_its_own() -> None:
    verbs = {verb for group in GROUPS.values() for verb in group} - ON_THE_SPOT
    named = {FILES.get(verb, verb): verb for verb in verbs}
    for name, verb in named.items():
        assert f"run_{verb}" in verbs_of(name), f"jobs/{name}.py has no run_{verb}"
    others = {path.stem for path in JOBS.glob("*.py")} - set(named)
    assert {name for name in others if verbs_of(name)} == set()


def test_every_verb_takes_what_then_where_then_who_is_told() -> None:
    shown = {
        verb: given for path in JOBS.glob("*.py") for verb, given in verbs_of(path.stem).items()
    }
    assert len(shown) >= 13
    for verb, given in shown.items():
        common = [name for name in given if name in ORDER]
        assert common == sorted(common, key=ORDER.index), f"{verb}{given}"
        assert "say" in common and given[-len(common) :] == common, f"{verb}{given}"
