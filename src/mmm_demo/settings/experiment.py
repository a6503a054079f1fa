"""What an experiment is: frozen values, validated at birth."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from mmm_demo.forms.parameter import CHANNEL, CONTROL, EVENT, MODE, Parameter
from mmm_demo.forms.registry import AUTOCORRELATION, FORMS, chosen, default, every_parameter, find
from mmm_demo.settings.data import TREND, Column, DataConfig
from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.kinds import SLUG, Count, Positive, Slug
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.settings.priors import (
    STRICT,
    PriorConfig,
    default_prior,
    parameters_of,
    prior_to_dict,
    read_prior,
)
from mmm_demo.settings.scenario import BudgetConfig
from mmm_demo.settings.yaml_file import ConfigError

DEFAULT_ADSTOCK_MAX_LAG = 8
OF_EVENTS = frozenset(
    item.name for form in FORMS["event_effects"].values() for item in form.parameters
)
# Setting that says how many values a list of a prior has, by what there is one each of.
LENGTH_FROM = {
    CHANNEL: "channel_columns",
    CONTROL: "control_columns",
    MODE: "yearly_seasonality",
    EVENT: "calendar",
}

# Settings of `data` that came after versions were stored, with their defaults. They are written
# where they say something, so that experiments without them keep their fingerprint.
ADDED_TO_DATA: dict[str, Any] = {
    **{"decimal": ".", "separator": ",", "accept": []},
    **{"holidays": None, "events": None},
}
# Likewise of `model`: forms of which there was one, and dates of events.
ADDED_FORMS = {
    kind: default(kind) for kind in ("baseline", "seasonality", "event_effects", "noise")
}
ADDED_TO_MODEL: dict[str, Any] = ADDED_FORMS | {AUTOCORRELATION: False, "calendar": []}


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
    yearly_seasonality
        Number of yearly Fourier modes; 0 for none.
    adstock, saturation, baseline, seasonality, event_effects, noise
        Names of forms (`forms.registry`).
    autocorrelation
        Whether a part of a week's residual is left in the next (AR(1)).
    calendar
        When the events were and will be (`data.holidays`, `data.events`): decided when the data
        are read, and kept, so that no other release of a calendar moves a fit's dates.
    priors
        Every prior of the model; the project's defaults where the experiment names none.
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
    adstock: str = default("adstock")
    saturation: str = default("saturation")
    baseline: str = default("baseline")
    seasonality: str = default("seasonality")
    event_effects: str = default("event_effects")
    noise: str = default("noise")
    autocorrelation: bool = False
    calendar: tuple[Occurrence, ...] = ()
    priors: dict[str, PriorConfig] = Field(default_factory=dict, validate_default=True)
    scaling: ScalingConfig | None = None

    @field_validator("control_columns", mode="before")
    @classmethod
    def _none_means_none(cls, given: object) -> object:
        return () if given is None else given

    @field_validator(*FORMS)
    @classmethod
    def _is_a_form(cls, name: str, info: ValidationInfo) -> str:
        return find(str(info.field_name), name).name

    @field_validator(AUTOCORRELATION, mode="before")
    @classmethod
    def _is_true_or_false(cls, given: object) -> object:
        if not isinstance(given, bool):
            raise ValueError(f"must be true or false, got {given!r}")
        return given

    @field_validator("priors", mode="before")
    @classmethod
    def _complete_priors(cls, given: object, info: ValidationInfo) -> dict[str, PriorConfig]:
        if not isinstance(given, Mapping):
            raise ValueError(f"must map parameters to priors, got {given!r}")
        faults: list[str] = []
        # A form or a setting that is at fault is reported itself.
        known = parameters_of(lambda kind: chosen(kind, info.data))
        priors = {
            name: default_prior(item)
            for name, item in known.items()
            if name not in OF_EVENTS or info.data.get("calendar")
        }
        for name, prior in given.items():
            if name not in known and not {*FORMS, AUTOCORRELATION} <= {*info.data}:
                continue
            item = known.get(name) or every_parameter().get(name)
            if item is None:
                faults.append(f"{name}: unknown prior; valid: {', '.join(known)}")
                continue
            if item.dim in LENGTH_FROM and LENGTH_FROM[item.dim] not in info.data:
                continue
            try:
                read = read_prior(item, prior, _length_for(item, info.data) if name in known else 0)
            except ValueError as fault:
                faults.append(f"{name}: {fault}")
            else:
                priors |= {name: read} if name in known else {}
        if faults:
            raise ValueError("; ".join(faults))
        return priors

    def form(self, kind: str) -> Any:
        """Return the model's form of a kind, e.g. of its `adstock`."""
        return chosen(kind, vars(self))

    @property
    def channel_parameters(self) -> tuple[str, ...]:
        """Parameters that each channel has one of, in the order of their priors."""
        return tuple(n for n, item in parameters_of(self.form).items() if item.dim == CHANNEL)

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


def _length_for(parameter: Parameter, columns: Mapping[str, Any]) -> int | None:
    """Return how many values a list of a prior has; events have one prior for all."""
    return None if parameter.dim == EVENT else _length_of(parameter, columns)


def _length_of(parameter: Parameter, columns: Mapping[str, Any]) -> int | None:
    """Return how many values a per-item prior takes; None where it takes a single one."""
    if not parameter.dim or parameter.items:
        return len(parameter.items) or None
    counted = columns[LENGTH_FROM[parameter.dim]]
    if parameter.dim == EVENT:
        return len({occurrence.name for occurrence in counted})
    if parameter.dim != MODE:
        return len(counted)
    kind = "seasonality"
    return find(kind, columns.get(kind, default(kind))).count(counted)


def with_forms(config: ModelConfig, **forms: str) -> ModelConfig:
    """Return a model in other forms, with the priors of the parameters that it still has."""
    known = parameters_of(lambda kind: chosen(kind, vars(config) | forms))
    kept = {name: prior for name, prior in config.priors.items() if name in known}
    return replace(config, **forms, priors=kept)


@dataclass(frozen=True, config=STRICT)
class SamplerConfig:
    """NUTS settings; the defaults were chosen by `benchmarks/sampler_zoo.py`.

    Attributes
    ----------
    draws, tune
        Per chain, kept and of the warm-up.
    chains, seed
        As they say.
    target_accept
        Of the first attempt; the others go closer to 1 (`fits.ladder`).
    """

    draws: Count = Field(default=1000, ge=50, le=100_000)
    tune: Count = Field(default=600, ge=50, le=100_000)
    chains: Count = Field(default=4, ge=1, le=32)
    target_accept: float = Field(default=0.95, gt=0.5, lt=1.0)
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
        idle = sorted(OF_EVENTS & {*model.priors})
        if idle and not (model.calendar or data.holidays or data.events):
            raise ValueError(
                f"model.priors has {', '.join(idle)}, but the data name no events: give "
                "data.holidays or data.events, or leave the prior out"
            )
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
    order = ["baseline", "adstock", "saturation", "noise", "controls"]
    order += ["seasonality"] if config.yearly_seasonality else []
    order += ["event_effects"] if config.calendar else []
    items = parameters_of(config.form, order)
    columns = {name: getattr(config, name) for name in (*LENGTH_FROM.values(), "seasonality")}
    sizes = {item.variable: _length_of(item, columns) for item in items.values()}
    return {name: 1 if size is None else size for name, size in sizes.items() if size != 0}


def with_calendar(model: ModelConfig, calendar: tuple[Occurrence, ...]) -> ModelConfig:
    """Return a model of the events that its data know of."""
    return replace(model, calendar=calendar) if calendar != model.calendar else model


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
    model = plain["model"]
    for name in ("adstock", "saturation", "scaling"):  # where stored files have them
        model[name] = model.pop(name)
    for section, added in (("data", ADDED_TO_DATA), ("model", ADDED_TO_MODEL)):
        for name, usual in added.items():
            if plain[section][name] == usual:
                del plain[section][name]
    model["priors"] = {
        name: prior_to_dict(prior) for name, prior in experiment.model.priors.items()
    }
    return plain
