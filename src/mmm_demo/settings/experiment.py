"""What an experiment is: frozen values, validated at birth."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from mmm_demo.settings.data import TREND, Column, DataConfig
from mmm_demo.settings.kinds import SLUG, Count, Positive, Slug
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.settings.priors import DEFAULT_PRIORS, STRICT, PriorConfig, prior_to_dict, read_prior
from mmm_demo.settings.scenario import BudgetConfig
from mmm_demo.settings.yaml_file import ConfigError

DEFAULT_ADSTOCK_MAX_LAG = 8
# Setting that says how many values a list of a prior has.
LENGTH_FROM = {
    "adstock_alpha": "channel_columns",
    "saturation_lam": "channel_columns",
    "saturation_beta": "channel_columns",
    "gamma_control": "control_columns",
    "gamma_fourier": "yearly_seasonality",
}

# Settings of `data` that came after versions were stored, with their defaults. They are written
# where they say something, so that experiments without them keep their fingerprint.
ADDED_TO_DATA: dict[str, Any] = {"decimal": ".", "separator": ",", "accept": []}


@dataclass(frozen=True, config=STRICT)
class ScalingConfig:
    """What sales and spend are divided by; priors live on the scale that this makes.

    A refresh takes the champion's scaling, so that a new record week moves no prior.

    Attributes
    ----------
    target
        In sales units.
    channels
        In spend units, in the order of `channel_columns`.
    """

    target: Positive
    channels: tuple[Positive, ...]


@dataclass(frozen=True, config=STRICT)
class ModelConfig:
    """The marketing mix model: columns, adstock, saturation, seasonality and priors.

    Attributes
    ----------
    date_column, target_column, channel_columns, control_columns
        Columns of the weekly table.
    adstock_max_lag
        Weeks over which spend still works, the week itself included.
    adstock
        `geometric` (each week works a fixed share of the one before) or `binomial` (a power of
        the time left, which runs out soon after the last week); both take the same prior.
    yearly_seasonality
        Number of yearly Fourier modes; 0 for none.
    priors
        Every prior of the model; the project's defaults where the experiment names none.
    saturation
        `logistic`, `michaelis_menten` or `s_shaped` (Hill); all take the same priors.
    scaling
        Decided when the model is fitted: the champion's when it is the same model, else the
        largest sale and spend.
    """

    channel_columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    control_columns: tuple[Column, ...] = ()
    date_column: Column = "Week"
    target_column: Column = "Sales"
    adstock_max_lag: Count = Field(default=DEFAULT_ADSTOCK_MAX_LAG, ge=1, le=52)
    yearly_seasonality: Count = Field(default=2, ge=0, le=10)
    priors: dict[str, PriorConfig] = Field(default_factory=dict, validate_default=True)
    adstock: Literal["geometric", "binomial"] = "geometric"
    saturation: Literal["logistic", "michaelis_menten", "s_shaped"] = "logistic"
    scaling: ScalingConfig | None = None

    @field_validator("control_columns", mode="before")
    @classmethod
    def _none_means_none(cls, given: object) -> object:
        return () if given is None else given

    @field_validator("priors", mode="before")
    @classmethod
    def _complete_priors(cls, given: object, info: ValidationInfo) -> dict[str, PriorConfig]:
        if not isinstance(given, Mapping):
            raise ValueError(f"must map parameters to priors, got {given!r}")
        faults: list[str] = []
        priors = dict(DEFAULT_PRIORS)
        for name, prior in given.items():
            if name in LENGTH_FROM and LENGTH_FROM[name] not in info.data:
                continue  # the setting that gives its length is at fault, and is reported itself
            try:
                priors[name] = read_prior(name, prior, _length_of(name, info.data))
            except ValueError as fault:
                faults.append(f"{name}: {fault}")
        if faults:
            raise ValueError("; ".join(faults))
        return priors

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the weekly table: date, target, channels, controls."""
        named = (self.date_column, self.target_column)
        return (*named, *self.channel_columns, *self.control_columns)

    @model_validator(mode="after")
    def _no_column_twice(self) -> "ModelConfig":
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise ValueError(
                f"columns with two roles: {', '.join(twice)}; give each column one role"
            )
        return self

    @model_validator(mode="after")
    def _scaling_fits(self) -> "ModelConfig":
        if self.scaling and len(self.scaling.channels) != len(self.channel_columns):
            raise ValueError(
                f"scaling has {len(self.scaling.channels)} channels, "
                f"the model {len(self.channel_columns)}"
            )
        return self


def _length_of(name: str, columns: Mapping[str, Any]) -> int | None:
    """Return how many values a per-item prior takes; None where it takes a single one."""
    if name not in LENGTH_FROM:
        return None
    counted = columns[LENGTH_FROM[name]]
    return 2 * counted if name == "gamma_fourier" else len(counted)


@dataclass(frozen=True, config=STRICT)
class SamplerConfig:
    """NUTS settings; the defaults are nutpie's low-rank adaptation at a careful step size."""

    draws: Count = Field(default=2000, ge=50, le=100_000)
    tune: Count = Field(default=1000, ge=50, le=100_000)
    chains: Count = Field(default=4, ge=1, le=32)
    target_accept: float = Field(default=0.98, gt=0.5, lt=1.0)
    seed: Count = Field(default=1, ge=0, lt=2**31)


@dataclass(frozen=True, config=STRICT)
class ExperimentConfig:
    """One experiment: everything that decides a fit and its plan."""

    name: Slug
    market: Slug
    model: ModelConfig
    description: str = ""
    data: DataConfig = field(default_factory=DataConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)

    @model_validator(mode="after")
    def _budget_names_channels(self) -> "ExperimentConfig":
        channels = self.model.channel_columns
        for setting, named in self.budget.named.items():
            if unknown := sorted(named - {*channels}):
                raise ValueError(
                    f"budget.{setting} names {', '.join(unknown)}; "
                    f"channels are {', '.join(channels)}"
                )
        return self

    @model_validator(mode="after")
    def _model_takes_what_the_data_make(self) -> "ExperimentConfig":
        data, model = self.data, self.model
        if unused := sorted(set(data.groups) - set(model.channel_columns)):
            raise ValueError(f"data.groups makes {', '.join(unused)}: add to model.channel_columns")
        if gone := sorted({*data.members} & {*model.columns}):
            raise ValueError(f"data.groups adds up {', '.join(gone)}: take out of the model")
        if data.trend == "linear" and TREND not in model.control_columns:
            raise ValueError(f"data.trend: linear makes {TREND}: add to model.control_columns")
        return self

    @model_validator(mode="after")
    def _accepts_weeks_of_its_columns(self) -> "ExperimentConfig":
        known = self.model.columns[1:]  # without the date
        if unknown := sorted({entry.column for entry in self.data.accept} - {*known}):
            raise ValueError(
                f"data.accept names {', '.join(unknown)}; columns are {', '.join(known)}"
            )
        return self

    @property
    def registered_model(self) -> str:
        """Name in the model registry; champions never cross markets."""
        return registered_model_name(self.market)

    @property
    def fingerprint(self) -> str:
        """Sha256 of the canonical JSON of the experiment."""
        canonical = json.dumps(to_dict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def free_parameters(config: ModelConfig) -> dict[str, int]:
    """Return the parameters that a sampled model must have, with their number of values."""
    channels = len(config.channel_columns)
    sizes = {"intercept_contribution": 1, "adstock_alpha": channels, "saturation_lam": channels}
    sizes |= {"saturation_beta": channels, "y_sigma": 1}
    if config.control_columns:
        sizes["gamma_control"] = len(config.control_columns)
    if config.yearly_seasonality:
        sizes["gamma_fourier"] = 2 * config.yearly_seasonality
    return sizes


def registered_model_name(market: str) -> str:
    """Return the registered model of a market, e.g. `mmm_demo`.

    Raises
    ------
    ConfigError
        When no market can have this name.
    """
    if not re.fullmatch(SLUG, market):
        raise ConfigError(f"no market can be named {market!r}; use lowercase letters, digits, _")
    return f"mmm_{market}"


def to_dict(experiment: ExperimentConfig) -> dict[str, Any]:
    """Return the experiment, fully resolved, as plain values that `from_dict` reads back."""
    plain = json.loads(json.dumps(asdict(experiment) | {"budget": experiment.budget.plain()}))
    plain["data"]["accept"] = [entry.plain() for entry in experiment.data.accept]
    for name, default in ADDED_TO_DATA.items():
        if plain["data"][name] == default:
            del plain["data"][name]
    plain["model"]["priors"] = {
        name: prior_to_dict(prior) for name, prior in experiment.model.priors.items()
    }
    return plain
