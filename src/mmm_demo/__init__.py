"""Bayesian marketing mix modeling: gated fits, a model registry and budget plans in one loop.

What a notebook or a script needs, each as one function; the same steps as those of the command
line, with their gates and their MLflow runs. Nothing heavy is loaded before a function is called.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmm_demo.evidence.battery import Step
    from mmm_demo.jobs.evidence import EvidenceResult
    from mmm_demo.jobs.fit import FitResult
    from mmm_demo.jobs.improve import ImproveResult
    from mmm_demo.jobs.plan import PlanResult
    from mmm_demo.jobs.promote import Promotion
    from mmm_demo.jobs.track import TrackResult
    from mmm_demo.settings.experiment import ExperimentConfig
    from mmm_demo.sources.explore import Exploration
    from mmm_demo.sources.market import MarketingData
    from mmm_demo.store.registry import Champion

__all__ = [
    "explore",
    "fit",
    "gather_evidence",
    "improve",
    "load_champion",
    "load_experiment",
    "plan",
    "promote",
    "read_table",
    "track",
]
__version__ = "0.1.0"

Say = Callable[[str], None]
DEMO = "experiments/demo.yaml"


def load_experiment(path: str | Path = DEMO, **changes: Any) -> "ExperimentConfig":
    """Read an experiment file: what is fitted, to which table, and judged by which limits.

    Parameters
    ----------
    path
        YAML file, from the project's folder where it is no absolute path.
    **changes
        Sections with values that take the place of the file's, e.g. ``sampler={"draws": 1000}``.

    Returns
    -------
    ExperimentConfig
        Frozen and valid.

    Raises
    ------
    FileNotFoundError
        When there is no such file, or the working directory is not inside the project.
    ConfigError
        When the file is not a valid experiment; every fault is told with its place.

    Examples
    --------
    >>> from mmm_demo import load_experiment
    >>> experiment = load_experiment("experiments/demo.yaml", sampler={"draws": 1000})
    >>> experiment.market
    'demo'
    """
    from mmm_demo.settings.experiment_file import load_experiment as load

    return load(_project() / path, changes)


def read_table(experiment: "ExperimentConfig | str | Path" = DEMO) -> "MarketingData":
    """Read the weekly table of an experiment and hold it against the data contract.

    Parameters
    ----------
    experiment
        An experiment, or its file.

    Returns
    -------
    MarketingData
        ``table`` with one row per week, ``warnings`` and where it comes from.

    Raises
    ------
    DataError
        When the table breaks the contract; each fault is told with column, week and value.

    Examples
    --------
    >>> from mmm_demo import read_table
    >>> read_table("experiments/demo.yaml").table.head()  # doctest: +SKIP
    """
    from mmm_demo.sources.market import load_market

    asked = _experiment(experiment)
    return load_market(asked.data, asked.model, _project())


def explore(
    experiment: "ExperimentConfig | str | Path" = DEMO, *, say: Say | None = print
) -> "Exploration":
    """Say what the data of an experiment can tell, before any fit.

    Parameters
    ----------
    experiment
        An experiment, or its file.
    say
        Is told of each step; None for silence.

    Returns
    -------
    Exploration
        ``verdict`` in sentences, ``channels`` and other tables of what was measured.

    Raises
    ------
    DataError
        When the table breaks the contract, or does not go on from the champion's.

    Examples
    --------
    >>> from mmm_demo import explore
    >>> explore("experiments/demo.yaml").verdict  # doctest: +SKIP
    """
    from mmm_demo.jobs.explore import run_explore

    return run_explore(_experiment(experiment), _project(), say or _quiet)


def fit(
    experiment: "ExperimentConfig | str | Path" = DEMO, *, say: Say | None = print
) -> "FitResult":
    """Fit an experiment, judge it, and register it as a version when it passes the gate.

    Parameters
    ----------
    experiment
        An experiment, or its file.
    say
        Is told of each step; None for silence.

    Returns
    -------
    FitResult
        ``fitted`` (the model), ``roas`` and ``checks`` as tables, ``report`` (the verdict) and
        ``version``. A notebook shows the page of its run.

    Raises
    ------
    GateRefused
        When it does not pass: no result of it may be used. Names each check with the next step.

    Examples
    --------
    >>> from mmm_demo import fit
    >>> done = fit("experiments/demo.yaml")  # doctest: +SKIP
    >>> done.roas[["channel", "median", "lower_94", "upper_94"]]  # doctest: +SKIP
    """
    from mmm_demo.jobs.fit import run_fit

    return run_fit(_experiment(experiment), _project(), say or _quiet)


def gather_evidence(
    of: "FitResult | str", batteries: str | Sequence[str] = (), *, say: Say | None = print
) -> "EvidenceResult":
    """Ask of a fit what refits can tell: backtest, recovery, placebo, sensitivity.

    Parameters
    ----------
    of
        A fit, or its run: the id or its first characters.
    batteries
        Which, or one; all when empty. What others found before is kept.
    say
        Is told of each refit; None for silence.

    Returns
    -------
    EvidenceResult
        ``evidence.checks`` and ``evidence.tables`` by battery.

    Raises
    ------
    GateRefused
        When the fit does not prove its pass.
    ValueError
        When there is no such battery; it names those that there are.

    Examples
    --------
    >>> from mmm_demo import gather_evidence
    >>> gather_evidence("1a2b3c4d", ["backtest"]).evidence.checks  # doctest: +SKIP
    """
    from mmm_demo.jobs.evidence import run_evidence

    _project()
    told = say or _quiet
    run_id = of if isinstance(of, str) else of.run.run_id
    wanted = (batteries,) if isinstance(batteries, str) else batteries
    return run_evidence(run_id, wanted, told, _watch(told))


def improve(
    of: "FitResult | str", *, workers: int | None = None, say: Say | None = print
) -> "ImproveResult":
    """Fit the remedies of a fit's flags, and say which of them to go on with, if any.

    Parameters
    ----------
    of
        A fit that passed, or its run: the id or its first characters.
    workers
        Processes of this machine that fit them; one per core when omitted.
    say
        Is told of each fit; None for silence.

    Returns
    -------
    ImproveResult
        ``sentences`` with what was found, ``table`` with every fit, ``file`` with the recommended
        experiment, None where none is. A notebook shows the page of its run.

    Raises
    ------
    NotImprovableError
        When the run has no result to improve, or its data are others now.
    GateRefused
        When the fit does not prove its pass.

    Examples
    --------
    >>> from mmm_demo import improve
    >>> improve("1a2b3c4d").sentences  # doctest: +SKIP
    """
    from mmm_demo.fits.cores import usable_cores
    from mmm_demo.jobs.improve import run_improve

    root = _project()
    run_id = of if isinstance(of, str) else of.run.run_id
    return run_improve(run_id, root, say or _quiet, workers=workers or usable_cores())


def promote(
    what: "FitResult | str" = "demo",
    version: int | None = None,
    *,
    reason: str = "none given",
    rollback: bool = False,
    say: Say | None = print,
) -> "Promotion":
    """Make a version the champion of its market, when it wins the contest.

    Parameters
    ----------
    what
        A fit, whose version it is; or a market.
    version
        Which of the market; by default the latest that passed.
    reason
        Why; recorded with the promotion.
    rollback
        Make the previous champion the champion again instead.
    say
        Is told of each step; None for silence.

    Returns
    -------
    Promotion
        The champion now and the one before.

    Raises
    ------
    GateRefused
        When the version does not prove its pass or loses; it is the challenger then.

    Examples
    --------
    >>> from mmm_demo import fit, promote
    >>> promote(fit("experiments/demo.yaml"))  # doctest: +SKIP
    """
    from mmm_demo.jobs.promote import run_promote
    from mmm_demo.store.champion import PREFIX

    _project()
    told = say or _quiet
    if not isinstance(what, str):
        if version is not None or rollback:
            raise ValueError(
                "a fit has one version of its own; give its market to promote another or roll back"
            )
        what, version = what.version.name.removeprefix(PREFIX), int(what.version.version)
    return run_promote(what, version, reason, rollback, told, _watch(told))


def load_champion(market: str = "demo") -> "Champion":
    """Load the champion of a market, proven on the way.

    Parameters
    ----------
    market
        Whose.

    Returns
    -------
    Champion
        ``fitted`` (the model) and ``version``.

    Raises
    ------
    NoVersionError
        When the market has no champion.
    BundleRefused
        When the champion does not prove its pass.

    Examples
    --------
    >>> from mmm_demo import load_champion
    >>> load_champion("demo").fitted.roas()  # doctest: +SKIP
    """
    from mmm_demo.store.registry import load_champion as load

    _project()
    return load(market)


def plan(what: str | Path = "demo", *, say: Say | None = print, **asked: Any) -> "PlanResult":
    """Plan budgets with a market's champion.

    Parameters
    ----------
    what
        A market, whose champion plans what is `asked`; or a plan file (``.yaml``), which says
        everything itself.
    say
        Is told of each step; None for silence.
    **asked
        Settings of the plan: ``weeks``, ``start``, ``total_budget``, ``objective``, ``margin``,
        ``target``, ``engine``; the champion's own budget where nothing is said.

    Returns
    -------
    PlanResult
        ``table`` (money by channel) and ``schedule`` (by week), ``plans`` with everything. A
        notebook shows the page of its run.

    Raises
    ------
    BudgetError
        When no plan is possible.
    GateRefused
        When the champion does not prove its pass, or has expired.

    Examples
    --------
    >>> from mmm_demo import plan
    >>> plan("demo", weeks=13, total_budget=2e6).table  # doctest: +SKIP
    >>> plan("experiments/plans/demo_quarter.yaml").plans  # doctest: +SKIP
    """
    from mmm_demo.jobs.plan import run_optimize, run_plan_file

    root = _project()
    if Path(what).suffix not in (".yaml", ".yml"):
        return run_optimize(str(what), asked, root, say or _quiet)
    if asked:
        raise ValueError(f"a plan file says everything itself; drop {', '.join(asked)}")
    return run_plan_file(str(root / what), root, say or _quiet)


def track(
    made: "PlanResult | str",
    actuals: str | Path,
    scenario: str | None = None,
    *,
    say: Say | None = print,
) -> "TrackResult":
    """Hold a plan against the weeks that came.

    Parameters
    ----------
    made
        A plan, or its run: the id or its first characters.
    actuals
        CSV in the form of the weekly table, with all weeks since the data of the plan; a relative
        path is taken from the project's folder.
    scenario
        Which of the plan; by default the first.
    say
        Is told of each step; None for silence.

    Returns
    -------
    TrackResult
        ``outcome`` with what was promised and what came.

    Raises
    ------
    ActualsError, DataError
        When the file cannot be held against the plan.

    Examples
    --------
    >>> from mmm_demo import track
    >>> track("1a2b3c4d", "data/new_weeks.csv").outcome.table  # doctest: +SKIP
    """
    from mmm_demo.jobs.track import run_track

    root = _project()
    run_id = made if isinstance(made, str) else made.run.run_id
    return run_track(run_id, root / actuals, scenario, root, say or _quiet)


def _project() -> Path:
    """Return the project's folder; the import makes MLflow use its store."""
    from mmm_demo.settings.project import require_project_root

    return require_project_root()


def _experiment(given: "ExperimentConfig | str | Path") -> "ExperimentConfig":
    return load_experiment(given) if isinstance(given, str | Path) else given


def _quiet(_: str) -> None:
    """Say nothing."""


def _watch(say: Say) -> Callable[["Step"], None]:
    return lambda step: say(f"{step.battery} {step.number} of {step.total}: {step.name}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
