"""Words, exit codes and messages of the command line; nothing here needs a fit."""

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pandas as pd
import pytest
import yaml

import mmm_demo
import mmm_demo.cli.drawing
from answer import Answer, Ask
from helpers import PROJECT, PYTHON
from mmm_demo.checks.gate import Check, GateRefused, GateReport
from mmm_demo.cli.values import OrUnset
from mmm_demo.cli.verbs import GROUPS, KNOWN_ERROR, REFUSED, cli, main
from mmm_demo.fits.trace import table_sha256
from mmm_demo.sources.market import MarketingData

VERBS = {"main", "fit", "promote", "optimize", "report", "explore", "ui"}
VERBS |= {"evidence", "card", "compare", "track", "sweep", "leaderboard", "reproduce", "improve"}
ON_THE_SPOT = {"ui", "doctor", "server"}  # need no run of `mlflow run` around them
VERBS |= ON_THE_SPOT
PLACES = {  # module that does the work of each verb
    "jobs.main": ("main",),
    "jobs.fit": ("fit",),
    "jobs.explore": ("explore",),
    "jobs.report": ("report",),
    "jobs.plan": ("optimize", "plan_file"),
    "jobs.evidence": ("evidence",),
    "jobs.promote": ("promote",),
    "jobs.card": ("card",),
    "jobs.compare": ("compare",),
    "jobs.track": ("track",),
    "jobs.sweep": ("sweep",),
    "jobs.leaderboard": ("leaderboard",),
    "jobs.improve": ("improve",),
    "jobs.reproduce": ("reproduce",),
}
ENTRY_POINTS = yaml.safe_load((PROJECT / "MLproject").read_text("utf-8"))["entry_points"]
FIT_VERBS = ("main", "fit")
HEAVY = {
    "arviz",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "pymc",
    "pytensor",
    "xarray",
}
BAD = """
name: Not A Slug
market: demo
model: {channel_columns: [TV], max_lag: 3}
sampler: {draws: 1}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the project, and the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "experiments", folder / "experiments")
    shutil.copyfile(PROJECT / "MLproject", folder / "MLproject")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line in this process."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    monkeypatch.setattr(os, "environ", plain)

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mmm-demo", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for what does the work, tested elsewhere: keeps what it is asked, then stops."""
    asked: dict[str, tuple[Any, ...]] = {}

    def stop(name: str) -> Callable[..., None]:
        def keep(*values: Any, **named: Any) -> None:
            asked[name] = (*values, *named.values())
            raise RuntimeError("stopped here")

        return keep

    fake = SimpleNamespace(asked=asked)
    for module, verbs in PLACES.items():
        for verb in verbs:
            setattr(fake, f"run_{verb}", stop(verb))
        monkeypatch.setitem(sys.modules, f"mmm_demo.{module}", fake)
        package, _, name = f"mmm_demo.{module}".rpartition(".")
        monkeypatch.setattr(import_module(package), name, fake, raising=False)
    monkeypatch.setattr(mmm_demo.cli.drawing, "drawing_beside", nullcontext)
    return fake


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- help and start-up --------------------------------------------------------------------------


def test_help_names_every_verb(ask: Ask) -> None:
    answer = ask("--help")
    assert answer.code == 0
    assert set(cli.commands) == VERBS
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\w+", answer.out, re.MULTILINE), verb
    assert "0 done, 1 error, 2 usage, 3 refused" in " ".join(answer.out.split())


def test_help_shows_each_verb_once_in_the_order_of_work_and_cuts_no_sentence(ask: Ask) -> None:
    listed = [verb for verbs in GROUPS.values() for verb in verbs]
    assert sorted(listed) == sorted(VERBS)
    out = ask("--help").out
    places = [re.search(rf"^  {verb} +\w+", out, re.MULTILINE).start() for verb in listed]
    assert places == sorted(places)
    assert "..." not in out.partition("Options:")[2]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_every_verb_describes_every_option(ask: Ask, verb: str) -> None:
    answer = ask(verb, "--help")
    assert answer.code == 0
    for option in cli.commands[verb].params:
        if isinstance(option, click.Option):
            assert option.opts[0] in answer.out and option.help


def test_help_is_quick() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [PYTHON, "-m", "mmm_demo.cli", "--help"], capture_output=True, cwd=PROJECT
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    # Processor time, which other work on the machine does not change.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def modules_after(*words: str) -> set[str]:
    """Return what a fresh process has imported after a command."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules))))\n"
        f"sys.argv = {['mmm-demo', *words]}\n"
        "from mmm_demo.cli.verbs import main\n"
        "main()\n"
    )
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, cwd=PROJECT)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_heavy_modules_are_not_imported_to_say_help() -> None:
    loaded = modules_after("--help")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_a_faulty_experiment_is_refused_before_heavy_modules_are_imported() -> None:
    loaded = modules_after("fit", "--experiment", "experiments/demo.yaml", "--draws", "1")
    assert "pydantic" in loaded
    assert not loaded & (HEAVY - {"pydantic", "numpy"})  # forms are named with their arrays


# --- usage: exit code 2 -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["fitt"],
        ["fit", "--drawz", "100"],
        ["fit", "extra"],
        ["main", "--draws", "abc"],
        ["fit", "--draws", "1.5"],
        ["fit", "--draws", ""],
        ["fit", "--chains", "four"],
        ["fit", "--target-accept", "high"],
        ["fit", "--adstock-max-lag", "eight"],
        ["fit", "--seed", "None"],
        ["fit", "--seed", "latest"],
        ["fit", "--draws", "from_champion"],
        ["promote", "--version", "from_file"],
        ["promote", "--version", "newest"],
        ["promote", "--version", "1", "--rollback"],
        ["optimize", "--weeks", "abc"],
        ["optimize", "--total-budget", "a lot"],
        ["optimize", "--margin", "half"],
        ["optimize", "plan.yaml", "--weeks", "4"],
        ["optimize", "plan.yaml", "--market", "demo"],
        ["optimize", "plan.yaml", "--engine", "both"],
        ["optimize", "plan.yaml", "other.yaml"],
        ["report"],
        ["evidence"],
        ["evidence", "abc", "--battery", "none"],
        ["evidence", "abc", "--battery", ""],
        ["evidence", "abc", "--battery", "plausibility"],
        ["card"],
        ["card", "1", "2"],
        ["compare", "1"],
        ["compare", "1", "2", "3"],
        ["ui", "--port", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(ask: Ask, root: Path, pipeline: SimpleNamespace, words: list[str]) -> None:
    answer = ask(*words)
    assert answer.code == 2 and not pipeline.asked
    assert "Error: " in answer.err and "Traceback" not in answer.err
    assert files(root) == {"MLproject"} | {
        f"experiments/{name}" for name in files(root / "experiments")
    }


def test_no_words_at_all_is_usage(ask: Ask) -> None:
    assert ask().code == 2


# --- known errors: exit code 1, one clear message, nothing written ------------------------------


@pytest.mark.parametrize("verb", FIT_VERBS)
def test_missing_experiment_file(ask: Ask, root: Path, verb: str) -> None:
    before = files(root)
    answer = ask(verb, "--experiment", "experiments/dmeo.yaml")
    assert answer.code == KNOWN_ERROR == 1
    assert len(answer.err.strip().splitlines()) == 1
    assert answer.err.startswith("Error: no experiment file experiments/dmeo.yaml; files: ")
    assert "experiments/demo.yaml" in answer.err
    assert files(root) == before


@pytest.mark.parametrize("verb", FIT_VERBS)
def test_faulty_experiment_file(ask: Ask, root: Path, verb: str) -> None:
    (root / "experiments" / "bad.yaml").write_text(BAD)
    before = files(root)
    answer = ask(verb, "--experiment", "experiments/bad.yaml")
    assert answer.code == 1
    assert answer.err.startswith("Error: experiments/bad.yaml is not valid:")
    for place in ("name: ", "model.max_lag: unknown key", "sampler.draws: "):
        assert place in answer.err
    assert "Traceback" not in answer.err and not answer.out
    assert files(root) == before


def test_impossible_option_value_is_refused_like_one_in_the_file(ask: Ask, root: Path) -> None:
    answer = ask("fit", "--target-accept", "1.5", "--draws", "-3")
    assert answer.code == 1
    assert "sampler.target_accept: " in answer.err and "sampler.draws: " in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["main"],
        ["fit"],
        ["promote"],
        ["optimize"],
        ["optimize", "plan.yaml"],
        ["report", "abc"],
        ["evidence", "abc"],
        ["card", "1"],
        ["compare", "1", "2"],
    ],
    ids=" ".join,
)
def test_folder_that_is_no_project(
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pipeline: SimpleNamespace,
    words: list,
) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] in FIT_VERBS:
        words = [*words, "--experiment", str(PROJECT / "experiments" / "demo.yaml")]
    answer = ask(*words)
    assert answer.code == 1
    assert f"{tmp_path} is not inside the project" in answer.err
    assert not pipeline.asked and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (RuntimeError("no network"), KNOWN_ERROR, "Error: no network"),
        (FileNotFoundError("no such run"), KNOWN_ERROR, "Error: no such run"),
        (ValueError("[red] is no colour here"), KNOWN_ERROR, "Error: [red] is no colour here"),
        (GateRefused("rhat_max 1.2 < 1.01: FAILED"), REFUSED, "Refused: rhat_max 1.2 < 1.01"),
    ],
)
def test_error_of_the_pipeline_becomes_an_exit_code(
    ask: Ask, root: Path, pipeline: SimpleNamespace, error: Exception, code: int, word: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    pipeline.run_fit = fail
    answer = ask("fit")
    assert (answer.code, REFUSED) == (code, 3)
    assert answer.err.startswith(word) and "Traceback" not in answer.err


def test_server_that_is_down_is_a_known_error(
    ask: Ask, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    answer = ask("optimize")
    assert answer.code == KNOWN_ERROR
    assert answer.err.startswith("Error: MLflow store http://127.0.0.1:9: API request to")
    assert "Traceback" not in answer.err


def test_a_fault_of_the_program_is_not_hidden(
    ask: Ask, root: Path, pipeline: SimpleNamespace
) -> None:
    pipeline.run_fit = None  # calling it is a TypeError: a bug, which needs its traceback
    with pytest.raises(TypeError):
        ask("fit")


# --- options reach the experiment ---------------------------------------------------------------


@pytest.mark.parametrize("verb", FIT_VERBS)
def test_options_override_the_file(
    ask: Ask, root: Path, pipeline: SimpleNamespace, verb: str
) -> None:
    words = "--adstock-max-lag 3 --draws 700 --tune 600 --chains 5 --target-accept 0.9 --seed 11"
    ask(verb, *words.split())
    experiment = pipeline.asked[verb][0]
    sampler = experiment.sampler
    assert experiment.model.adstock_max_lag == 3
    assert (sampler.draws, sampler.tune, sampler.chains) == (700, 600, 5)
    assert (sampler.target_accept, sampler.seed) == (0.9, 11)
    assert pipeline.asked[verb][1] == root.resolve()


@pytest.mark.parametrize("verb", FIT_VERBS)
@pytest.mark.parametrize("word", ["unset", "from_file"])
def test_unset_keeps_the_values_of_the_file(
    ask: Ask, root: Path, pipeline: SimpleNamespace, verb: str, word: str
) -> None:
    options = ["adstock-max-lag", "draws", "tune", "chains", "target-accept", "seed"]
    words = [part for option in options for part in (f"--{option}", word)]
    told = ask(verb, "--experiment", "experiments/demo_refused.yaml", *words).err
    assert told.count(": write unset instead of from_file") == (6 if word == "from_file" else 0)
    given = pipeline.asked[verb][0]
    ask(verb, "--experiment", "experiments/demo_refused.yaml")
    assert pipeline.asked[verb][0] == given
    assert (given.sampler.draws, given.sampler.tune) == (100, 200)


def test_promote_passes_on_what_was_asked(ask: Ask, root: Path, pipeline: SimpleNamespace) -> None:
    ask("promote", "--market", "north", "--version", "7", "--reason", "better fit")
    assert pipeline.asked["promote"][:4] == ("north", 7, "better fit", False)
    ask("promote", "--version", "unset")
    assert pipeline.asked["promote"][:4] == ("demo", None, "none given", False)
    ask("promote", "--rollback")
    assert pipeline.asked["promote"][:4] == ("demo", None, "none given", True)


def test_optimize_passes_on_what_was_asked(ask: Ask, root: Path, pipeline: SimpleNamespace) -> None:
    ask("optimize", "--weeks", "4", "--total-budget", "1e6")
    assert pipeline.asked["optimize"][:2] == ("demo", {"weeks": 4, "total_budget": 1e6})
    ask("optimize", "--market", "north", "--start", "2026-01-05")
    assert pipeline.asked["optimize"][:2] == ("north", {"start": "2026-01-05"})
    ask("optimize", "--objective", "profit", "--margin", "0.4")
    assert pipeline.asked["optimize"][:2] == ("demo", {"objective": "profit", "margin": 0.4})
    ask("optimize", "--objective", "target_roas", "--target", "3")
    assert pipeline.asked["optimize"][1] == {"objective": "target_roas", "target": 3.0}
    ask("optimize", "--engine", "both")
    assert pipeline.asked["optimize"][1] == {"engine": "both"}
    for word, most in (("seen", "seen"), ("0.3", 0.3), ("30%", 0.3)):
        ask("optimize", "--bounds", word)
        assert pipeline.asked["optimize"][1] == {"default_bounds": most}
    unset = [p.opts[0] for p in cli.commands["optimize"].params if isinstance(p, click.Option)]
    assert len(unset) == 9
    words = [word for option in unset for word in (option, "unset")]
    ask("optimize", "unset", *words)
    assert pipeline.asked["optimize"][:2] == ("demo", {})
    assert "plan_file" not in pipeline.asked


def test_a_plan_file_is_planned_whole(ask: Ask, root: Path, pipeline: SimpleNamespace) -> None:
    ask("optimize", "experiments/plans/demo_quarter.yaml")
    assert pipeline.asked["plan_file"][:2] == ("experiments/plans/demo_quarter.yaml", root)
    assert "optimize" not in pipeline.asked


def test_evidence_passes_on_what_was_asked(ask: Ask, root: Path, pipeline: SimpleNamespace) -> None:
    ask("evidence", "0a1b2c")
    run, wanted, *_ = pipeline.asked["evidence"]
    assert (run, list(wanted)) == ("0a1b2c", [])  # all of them
    ask("evidence", "0a1b2c", "--battery", "placebo", "--battery", "backtest")
    assert list(pipeline.asked["evidence"][1]) == ["placebo", "backtest"]
    ask("evidence", "0a1b2c", "--battery", "placebo", "--battery", "all")
    assert list(pipeline.asked["evidence"][1]) == []


def test_card_and_compare_pass_on_what_was_asked(
    ask: Ask, root: Path, pipeline: SimpleNamespace
) -> None:
    ask("card", "champion")
    assert pipeline.asked["card"][:3] == ("demo", "champion", root.resolve())
    ask("card", "3", "--market", "north")
    assert pipeline.asked["card"][:2] == ("north", "3")
    ask("compare", "1", "challenger", "--market", "north")
    assert pipeline.asked["compare"][:4] == ("north", "1", "challenger", root.resolve())
    ask("compare", "2", "1")
    assert pipeline.asked["compare"][:3] == ("demo", "2", "1")


# --- what is shown ------------------------------------------------------------------------------


def test_names_in_brackets_reach_the_terminal_as_they_are(
    ask: Ask, root: Path, pipeline: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmm_demo.cli.verbs.console, "_width", 160)
    version = SimpleNamespace(name="mmm_north", version="3", run_id="0a1b2c3d4e5f")
    where = "gamma_control[price], [/end]"
    flag = Check("pareto_k_max", "plausibility", 2.0, "<=", 1.0, where, "look at [week]")
    found = SimpleNamespace(checks=(flag,))
    results = SimpleNamespace(
        roas=pd.DataFrame({"channel": ["[red]"], "median": 1, "lower_94": 0, "upper_94": 2}),
        truth=None,
        not_identified=["gamma_control[price]"],
    )
    fit = SimpleNamespace(
        report=GateReport((flag,)),
        results=results,
        label="",
        version=version,
        run=SimpleNamespace(run_id="0a1b2c3d4e5f"),
    )
    pipeline.run_evidence = lambda *_: SimpleNamespace(version=version, evidence=found)
    pipeline.run_fit = lambda *_: fit
    evidence, fitted = ask("evidence", "0a1b"), ask("fit")
    assert (evidence.code, fitted.code) == (0, 0)
    assert where in evidence.out
    assert "mmm-demo card 0a1b2c3d\n" in evidence.out  # by its run: the market is not the default
    assert f"flag: most influential week (Pareto k) 2, limit <= 1 ({where}): look at [week]" in (
        fitted.out
    )
    assert "[red]" in fitted.out and "the prior: gamma_control[price]." in fitted.out


def test_a_plan_is_tracked_by_its_first_scenario_unless_one_is_named(
    ask: Ask, root: Path, pipeline: SimpleNamespace
) -> None:
    words = ("track", "--plan", "abc12345", "--actuals", "data/new.csv")
    ask(*words)
    assert pipeline.asked["track"][:4] == ("abc12345", Path("data/new.csv"), None, root)
    ask(*words, "--scenario", "unset")
    assert pipeline.asked["track"][2] is None
    ask(*words, "--scenario", "more_search")
    assert pipeline.asked["track"][2] == "more_search"


@pytest.mark.parametrize("missing", ["--plan", "--actuals"])
def test_tracking_needs_plan_and_actuals(ask: Ask, pipeline: SimpleNamespace, missing: str) -> None:
    words = {"--plan": "abc12345", "--actuals": "data/new.csv"}
    del words[missing]
    answer = ask("track", *(word for pair in words.items() for word in pair))
    assert (answer.code, "track" in pipeline.asked) == (2, False)
    assert missing in answer.err


# --- MLproject ----------------------------------------------------------------------------------


def test_entry_points_are_the_promised_ones() -> None:
    assert set(ENTRY_POINTS) == VERBS - ON_THE_SPOT
    fit = {"experiment", "adstock_max_lag", "draws", "tune", "chains", "target_accept", "seed"}
    assert fit <= set(ENTRY_POINTS["fit"]["parameters"])


@pytest.mark.parametrize("verb", sorted(ENTRY_POINTS))
def test_entry_point_has_the_options_of_the_command(verb: str) -> None:
    entry, command = ENTRY_POINTS[verb], cli.commands[verb]
    words = shlex.split(entry["command"])
    assert words[:5] == ["PYTHONPATH=src", "python", "-m", "mmm_demo.cli", verb]
    positions = [p.name for p in command.params if isinstance(p, click.Argument)]
    # MLflow logs what is given, and what has a variable may hold a password.
    given = [p for p in command.params if isinstance(p, click.Option) and not p.envvar]
    options = {p.opts[0] for p in given if not p.is_flag}
    places, rest = words[5 : 5 + len(positions)], words[5 + len(positions) :]
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    assert places == ["{" + str(name) + "}" for name in positions]
    assert set(given) == options
    for option, value in given.items():  # -P names are the option's, with underscores
        assert value == "{" + option.removeprefix("--").replace("-", "_") + "}"
    assert {value.strip("{}") for value in (*places, *given.values())} == set(entry["parameters"])


def may_be_open() -> list[tuple[str, click.Parameter]]:
    """Return every option and argument that has a word for not given, with its verb."""
    found = [(verb, p) for verb, command in cli.commands.items() for p in command.params]
    return [(verb, p) for verb, p in found if isinstance(p.type, OrUnset)]


def test_one_word_leaves_open_whatever_may_be_left_open(capsys) -> None:
    later = {("improve", "workers"), ("improve", "scheduler")}
    later |= {("optimize", "bounds"), ("optimize", "engine")}
    before = [item for item in may_be_open() if (item[0], item[1].name) not in later]
    old = {verb: {p.type.old for of, p in before if of == verb} for verb in cli.commands}
    assert {verb: words for verb, words in old.items() if words} == {
        **{verb: {"from_file"} for verb in FIT_VERBS},
        "promote": {"latest"},
        "optimize": {"from_champion"},
        "track": {"first"},
        "sweep": {"default"},
        "leaderboard": {"all"},
    }
    for verb, param in may_be_open():
        assert param.type.convert("unset", param, None) is None
        assert capsys.readouterr().err == "", (verb, param.name)
        if (verb, param.name) in later:
            assert param.type.old is None
            continue
        assert param.type.convert(param.type.old, param, None) is None
        (line,) = capsys.readouterr().err.splitlines()  # for one release
        assert line.startswith(f"{param.opts[0]}: write unset instead of {param.type.old}")
        assert not isinstance(param, click.Option) or "[unset: " in str(param.help)


def test_mlflow_passes_the_one_word_for_what_may_be_left_open() -> None:
    given = {
        (verb, p.opts[0].removeprefix("--").replace("-", "_"))
        for verb, p in may_be_open()
        if p.name != "storage"  # comes by its variable alone
    }
    passed = {
        (verb, name)
        for verb, entry in ENTRY_POINTS.items()
        for name, of in entry["parameters"].items()
        if of.get("default") == "unset"
    }
    assert passed == given


@pytest.mark.parametrize("verb", sorted(ENTRY_POINTS))
def test_entry_point_without_parameters_is_the_command_without_options(
    ask: Ask, root: Path, pipeline: SimpleNamespace, verb: str
) -> None:
    parameters = ENTRY_POINTS[verb]["parameters"]
    values = {name: str(p.get("default", f"any_{name}")) for name, p in parameters.items()}
    quoted = {name: shlex.quote(value) for name, value in values.items()}
    ask(*shlex.split(ENTRY_POINTS[verb]["command"].format(**quoted))[4:])
    through_mlflow = plain(pipeline.asked.pop(verb))
    positions = [p.name for p in cli.commands[verb].params if isinstance(p, click.Argument)]
    needed = [p for p in cli.commands[verb].params if isinstance(p, click.Option) and p.required]
    options = [word for p in needed for word in (p.opts[0], values[str(p.name)])]
    ask(verb, *(values[str(name)] for name in positions), *options)
    assert plain(pipeline.asked[verb]) == through_mlflow


def plain(asked: tuple[Any, ...]) -> list[Any]:
    """Return what was asked, without what is told of progress, lists and tables as they compare."""
    values = (list(item) if isinstance(item, tuple) else item for item in asked)
    values = (table_sha256(v.table) if isinstance(v, MarketingData) else v for v in values)
    return [item for item in values if not callable(item)]


# --- a bad table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["main", "fit", "explore"])
def test_a_bad_table_is_refused_before_anything_else_is_done(
    ask: Ask, root: Path, pipeline: SimpleNamespace, verb: str
) -> None:
    """In a second: no library of models is loaded, no run opened, no store made."""
    file = root / "experiments" / "your_data.yaml"
    table = (root / "experiments" / "your_data.csv").read_text("utf-8").splitlines()
    (root / "bad.csv").write_text("\n".join(table[:40] + table[41:]) + "\n", "utf-8")
    file.write_text(file.read_text("utf-8").replace("experiments/your_data.csv", "bad.csv"))
    done = ask(verb, "--experiment", str(file))
    assert done.code == 1
    assert "bad.csv: 1 fault(s)" in done.err and "1 missing week(s): 2023-10-02" in done.err
    assert verb not in pipeline.asked
    assert not list((root / "mlruns").glob("*"))
