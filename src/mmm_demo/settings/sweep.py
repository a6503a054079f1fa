"""What a sweep file may ask for: the settings to search over, and how."""

import copy
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from mmm_demo.settings.dimension import Options, Range, Value, read_dimension, set_twice
from mmm_demo.settings.experiment import ConfigError, ExperimentConfig, Slug, to_dict
from mmm_demo.settings.experiment_file import from_dict, load_experiment
from mmm_demo.settings.limits import Count
from mmm_demo.settings.priors import STRICT
from mmm_demo.settings.yaml_file import build, read_mapping

MOST_TRIALS = 10_000
LONGEST_NAME = 50  # leaves room for what tells the experiments of its trials apart


@dataclass(frozen=True, config=STRICT)
class SweepConfig:
    """One sweep: an experiment, the settings to search over, and how.

    Attributes
    ----------
    name
        Of the sweep; results are found by it.
    experiment
        File of the experiment that is varied, relative to the project.
    search
        By setting (dotted, as in the experiment file): a list of values, or a range `low`, `high`
        with `step` or `log`. By a name of your own: named sets of settings that change together.
    sampler
        `tpe` learns from the trials so far, `random` does not, `grid` tries every combination.
    trials
        How many; a grid has as many as combinations.
    objective
        `crps` of the backtest, in sales units, or `elpd` of the whole fit (leave-one-out).
    folds
        Of the backtest.
    early_stopping
        End trials that forecast significantly worse than the best so far after some of the folds.
        By default all but a grid's, so that a grid's values do not hang on its order.
    draws, tune
        Per chain of each refit.
    seed
        Of the sampler of trials and of the refits.
    """

    name: Annotated[Slug, Field(max_length=LONGEST_NAME)]
    experiment: str
    search: dict[str, Options | Range] = Field(min_length=1)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    trials: Annotated[Count, Field(ge=1, le=MOST_TRIALS)] | None = None
    objective: Literal["crps", "elpd"] = "crps"
    folds: Count = Field(default=3, ge=2, le=26)
    early_stopping: bool | None = None
    draws: Count = Field(default=1000, ge=500, le=10_000)
    tune: Count = Field(default=500, ge=300, le=10_000)
    seed: Count = Field(default=1, ge=0, lt=2**31)

    @field_validator("search", mode="before")
    @classmethod
    def _read_search(cls, given: object) -> dict[str, Options | Range]:
        if not isinstance(given, Mapping):
            raise ValueError(f"must map settings to values, got {given!r}")
        faults, found = [], {}
        for name, values in given.items():
            try:
                found[str(name)] = read_dimension(str(name), values)
            except ValueError as fault:
                faults.append(f"{name}: {fault}")
        faults += set_twice(found)
        if faults:
            raise ValueError("; ".join(faults))
        return found

    @model_validator(mode="after")
    def _trials_can_be_counted(self) -> "SweepConfig":
        if self.sampler != "grid":
            if self.trials is None:
                raise ValueError(f"sampler {self.sampler!r} needs a number of trials")
            return self
        if endless := [name for name, of in self.search.items() if not of.count]:
            raise ValueError(f"a grid needs values or a step for {', '.join(endless)}")
        if self.trials is not None:
            raise ValueError(f"a grid has {self.size} trials, one per combination; drop `trials`")
        if self.size > MOST_TRIALS:
            raise ValueError(f"a grid of {self.size} combinations is too large ({MOST_TRIALS})")
        return self

    @property
    def size(self) -> int:
        """How many trials there will be."""
        return self.trials or math.prod(of.count for of in self.search.values())

    @property
    def stops_early(self) -> bool:
        """Whether hopeless trials end early."""
        asked = self.early_stopping
        return self.objective == "crps" and (self.sampler != "grid" if asked is None else asked)

    def identity(self, data_sha256: str, base: ExperimentConfig) -> str:
        """Return what makes two sweeps the same one, so that one resumes the other.

        More trials of the same search are the same sweep.
        """
        search = {name: repr(of) for name, of in self.search.items()}
        how = [self.name, self.sampler, self.objective, self.folds, self.stops_early, self.seed]
        what = [*how, self.draws, self.tune, search, base.fingerprint, data_sha256]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]


def load_sweep(path: str | Path) -> SweepConfig:
    """Read a sweep file.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ConfigError
        When it is not YAML or not a valid sweep.
    """
    content = read_mapping(path, "sweep", "experiments/sweeps")
    return build(SweepConfig, content, str(path))


@plain_dataclass(frozen=True)
class Space:
    """A sweep with its experiment: what each trial fits.

    Attributes
    ----------
    sweep, base
        The sweep and the experiment that it varies.
    """

    sweep: SweepConfig
    base: ExperimentConfig

    @classmethod
    def load(cls, path: str | Path, root: Path) -> "Space":
        """Read a sweep file and its experiment, and try every single value of it.

        Raises
        ------
        FileNotFoundError
            When one of them is not there.
        ConfigError
            When one of them, or a value of the search, is not possible.
        """
        sweep = load_sweep(path)
        space = cls(sweep, load_experiment(root / sweep.experiment))
        faults = []
        for name, value in space._single_values():
            try:
                space.experiment({name: value})
            except ConfigError as fault:
                faults.append(f"{name} = {value}: {fault}")
        # Settings that only go together are not possible one by one; a grid is small enough.
        if faults and (sweep.sampler != "grid" or space._impossible()):
            raise ConfigError(f"{path} has values that cannot be fitted:\n" + "\n".join(faults))
        return space

    def _single_values(self) -> Iterator[tuple[str, Value]]:
        for name, of in self.sweep.search.items():
            ends = [of.low, of.high] if isinstance(of, Range) else of.values()
            yield from ((name, value) for value in ends)

    def _impossible(self) -> bool:
        lists = [of.values() for of in self.sweep.search.values()]
        for values in itertools.product(*lists):
            try:
                self.experiment(dict(zip(self.sweep.search, values, strict=True)))
            except ConfigError:
                return True
        return False

    def experiment(self, choice: Mapping[str, Value], name: str = "") -> ExperimentConfig:
        """Return the experiment of one trial.

        Parameters
        ----------
        choice
            Value of each setting, as the study calls it; settings without one stay as they are.
        name
            Of the experiment; the base's by default.

        Raises
        ------
        ConfigError
            When the values do not make an experiment.
        """
        plain = copy.deepcopy(to_dict(self.base))
        for dimension, value in choice.items():
            for place, setting in self._settings(dimension, value).items():
                self._put(plain, place, setting)
        plain["name"] = name or plain["name"]
        plain["sampler"]["seed"] = self.sweep.seed
        return from_dict(plain, f"{self.sweep.name}: {in_words(choice)}")

    def _settings(self, dimension: str, value: Value) -> Mapping[str, Any]:
        of = self.sweep.search[dimension]
        return {dimension: value} if isinstance(of, Range) else of.settings[value]

    def _put(self, plain: dict[str, Any], place: str, setting: object) -> None:
        *sections, last = place.split(".")
        inner = plain
        if sections[:2] == ["model", "media"]:  # which an experiment without any leaves out
            inner["model"].setdefault("media", {})
        for at, section in enumerate(sections):
            if sections[:2] == ["model", "media"] and at in (2, 3):  # a channel, its priors
                inner.setdefault(section, {})
            inner = inner.get(section)
            if not isinstance(inner, dict):
                raise ConfigError(f"{place}: the experiment has no {section!r} to put values into")
        inner[last] = copy.deepcopy(setting)
        priors = 2 if sections[:2] == ["model", "priors"] else 4
        if sections[priors - 1 : priors] == ["priors"]:  # one that is not the default says why
            prior, why = (inner if len(sections) > priors else inner[last]), "a trial of the sweep"
            if isinstance(prior, dict):  # anything else is refused with the experiment
                prior["rationale"] = f"{why} {self.sweep.name}"

    @property
    def longest_lag(self) -> int:
        """Longest lag of any trial: up to it, trials share a compilation."""
        tried = (self._settings(name, value) for name, value in self._single_values())
        lags = [lag for settings in tried for lag in _lags(settings)]
        return max([self.base.model.adstock_max_lag, self.base.model.longest_lag, *lags])


LAGS = ("adstock_max_lag", "max_lag")


def _lags(settings: Mapping[str, Any]) -> Iterator[int]:
    """Return every lag among settings, however deep."""
    for place, value in settings.items():
        if isinstance(value, Mapping):
            yield from _lags(value)
        elif isinstance(value, int) and str(place).rpartition(".")[2] in LAGS:
            yield value


def in_words(choice: Mapping[str, Value]) -> str:
    """Return a trial's values as people read them, e.g. `adstock_max_lag 8, alpha 0.1234`."""
    return ", ".join(f"{_short(name.split('.'))} {_told(of)}" for name, of in choice.items())


def _told(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(parts: list[str]) -> str:
    return " ".join(parts[2:]) if parts[:2] == ["model", "priors"] else parts[-1]
