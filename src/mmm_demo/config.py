"""What an experiment is: frozen values, read from YAML, validated whole before any sampling."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from mmm_demo.dt_mart_options import DtMartOptions
from mmm_demo.priors import DEFAULT_PRIORS, STRICT, PriorConfig, prior_to_dict, read_prior

DEFAULT_ADSTOCK_MAX_LAG = 8
SLUG = r"^[a-z][a-z0-9_]*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=60)]
Column = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True)]  # neither text nor true nor 8.0
# Setting that says how many values a list of a prior has.
LENGTH_FROM = {
    "adstock_alpha": "channel_columns",
    "saturation_lam": "channel_columns",
    "saturation_beta": "channel_columns",
    "gamma_control": "control_columns",
    "gamma_fourier": "yearly_seasonality",
}


class ConfigError(ValueError):
    """An experiment that cannot be run as written."""


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Where the weekly table comes from.

    Attributes
    ----------
    source
        `simulated` (the demo market), `csv` or `kaggle` (DT Mart).
    path
        CSV file, relative to the project; for `csv` only.
    seed, weeks
        Of the simulated market; for `simulated` only.
    missing_spend
        `zero` reads an empty spend cell as no spend; `error` refuses it.
    dt_mart
        What the DT Mart files leave open; for `kaggle` only.
    """

    source: Literal["simulated", "csv", "kaggle"] = "simulated"
    path: str | None = None
    seed: Count = Field(default=1, ge=0)
    weeks: Count = Field(default=156, ge=104, le=1040)
    missing_spend: Literal["error", "zero"] = "error"
    dt_mart: DtMartOptions | None = Field(default=None, validate_default=True)

    @field_validator("dt_mart", mode="before")
    @classmethod
    def _read_dt_mart(cls, given: object, info: ValidationInfo) -> DtMartOptions | None:
        if info.data.get("source") != "kaggle":
            if given is not None:
                raise ValueError("goes with source kaggle")
            return None
        if isinstance(given, DtMartOptions):
            return given
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"must be a mapping, got {given!r}")
        valid = sorted(DtMartOptions.__dataclass_fields__)
        if unknown := sorted(set(given or {}) - set(valid)):
            raise ValueError(f"unknown key {', '.join(unknown)}; valid: {', '.join(valid)}")
        return DtMartOptions(**(given or {}))

    @model_validator(mode="after")
    def _path_belongs_to_csv(self) -> "DataConfig":
        if (self.source == "csv") != (self.path is not None):
            raise ValueError(
                f"source {self.source!r} with path {self.path!r}: a path goes with csv"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class ModelConfig:
    """The marketing mix model: columns, adstock, seasonality and priors.

    Attributes
    ----------
    date_column, target_column, channel_columns, control_columns
        Columns of the weekly table.
    adstock_max_lag
        Weeks over which spend still works, the week itself included.
    yearly_seasonality
        Number of yearly Fourier modes; 0 for none.
    priors
        Every prior of the model; the project's defaults where the experiment names none.
    """

    channel_columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    control_columns: tuple[Column, ...] = ()
    date_column: Column = "Week"
    target_column: Column = "Sales"
    adstock_max_lag: Count = Field(default=DEFAULT_ADSTOCK_MAX_LAG, ge=1, le=52)
    yearly_seasonality: Count = Field(default=2, ge=0, le=10)
    priors: dict[str, PriorConfig] = Field(default_factory=dict, validate_default=True)

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

    @model_validator(mode="after")
    def _no_column_twice(self) -> "ModelConfig":
        columns = [self.date_column, self.target_column, *self.channel_columns]
        columns += self.control_columns
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(
                f"columns with two roles: {', '.join(twice)}; give each column one role"
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
class GateConfig:
    """Limits of the gate. A config may tighten them, never loosen them.

    Attributes
    ----------
    rhat_max, ess_bulk_min, ess_tail_min, divergences_max, chains_min
        Convergence, over exactly the sampled free parameters.
    prior_extreme_share_max
        Largest share of prior week-draws that are negative or above
        `prior_extreme_multiple` times the largest observed sale.
    """

    rhat_max: float = Field(default=1.01, gt=1.0, le=1.01)
    ess_bulk_min: float = Field(default=400.0, ge=400.0)
    ess_tail_min: float = Field(default=400.0, ge=400.0)
    divergences_max: Count = Field(default=0, ge=0, le=0)
    chains_min: Count = Field(default=4, ge=4)
    prior_extreme_share_max: float = Field(default=0.20, gt=0.0, le=0.20)
    prior_extreme_multiple: float = Field(default=5.0, gt=1.0, le=5.0)

    def tighter_with(self, other: "GateConfig") -> "GateConfig":
        """Return the stricter of both, limit by limit."""
        return GateConfig(
            rhat_max=min(self.rhat_max, other.rhat_max),
            ess_bulk_min=max(self.ess_bulk_min, other.ess_bulk_min),
            ess_tail_min=max(self.ess_tail_min, other.ess_tail_min),
            divergences_max=min(self.divergences_max, other.divergences_max),
            chains_min=max(self.chains_min, other.chains_min),
            prior_extreme_share_max=min(
                self.prior_extreme_share_max, other.prior_extreme_share_max
            ),
            prior_extreme_multiple=min(self.prior_extreme_multiple, other.prior_extreme_multiple),
        )


@dataclass(frozen=True, config=STRICT)
class BudgetConfig:
    """The plan to make: window, budget and bounds.

    Attributes
    ----------
    weeks
        Length of the planning window, which starts the week after the data.
    total_budget
        Money for the whole window; the spend of the last `weeks` weeks when omitted.
    bounds
        Lowest and highest total per channel in the window; by default the lowest and highest
        total that the channel ever had over so many weeks.
    """

    weeks: Count = Field(default=13, ge=1, le=104)
    total_budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)

    @field_validator("bounds")
    @classmethod
    def _in_order(cls, bounds: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        faults = [
            f"{channel}: [{low}, {high}]"
            for channel, (low, high) in bounds.items()
            if not 0 <= low <= high < math.inf
        ]
        if faults:
            raise ValueError(f"bounds must satisfy 0 <= low <= high, got {'; '.join(faults)}")
        return bounds


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
    budget: BudgetConfig = field(default_factory=BudgetConfig)

    @model_validator(mode="after")
    def _bounds_name_channels(self) -> "ExperimentConfig":
        if unknown := sorted(set(self.budget.bounds) - set(self.model.channel_columns)):
            raise ValueError(
                f"budget.bounds names {', '.join(unknown)}; "
                f"channels are {', '.join(self.model.channel_columns)}"
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


_ADAPTER = TypeAdapter(ExperimentConfig)


def from_dict(content: object, where: str) -> ExperimentConfig:
    """Build an experiment from plain values, reporting all faults together.

    Parameters
    ----------
    content
        Mapping in the form of an experiment file.
    where
        Name of the source, for the message.

    Raises
    ------
    ConfigError
        With one line per fault: field, reason, value.
    """
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault_line(item)}" for item in error.errors())
        raise ConfigError(f"{where} is not valid:\n{faults}") from None


def _fault_line(item: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"]) or "experiment"
    if item["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown key; valid: {', '.join(_valid_keys(item['loc'][:-1]))}"
    if item["type"] == "missing":
        return f"{path}: missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{path}: {message}"
    return f"{path}: {message}, got {item['input']!r}"


def _valid_keys(path: tuple[str | int, ...]) -> list[str]:
    sections = {
        (): ExperimentConfig,
        ("data",): DataConfig,
        ("model",): ModelConfig,
        ("sampler",): SamplerConfig,
        ("gate",): GateConfig,
        ("budget",): BudgetConfig,
    }
    return sorted(sections[path].__dataclass_fields__) if path in sections else []


def load_experiment(
    path: str | Path, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> ExperimentConfig:
    """Read an experiment file.

    Parameters
    ----------
    path
        YAML file.
    overrides
        Values that replace the file's, by section, e.g. `{"sampler": {"draws": 1000}}`.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ConfigError
        When it is not YAML or not a valid experiment.
    """
    path = Path(path)
    if not path.is_file():
        folders = {path.parent, Path("experiments")} - {Path()}  # the project's own is no place
        found = sorted(file for folder in folders for file in folder.glob("*.yaml"))
        files = ", ".join(map(str, found)) or "none here; go to the project's folder"
        raise FileNotFoundError(f"no experiment file {path}; files: {files}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (is a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping, got {type(content).__name__}")
    for section, values in (overrides or {}).items():
        inner = content.setdefault(section, {})
        if isinstance(inner, dict):  # anything else is reported by the validation below
            inner.update(values)
    return from_dict(content, str(path))


def with_budget(experiment: ExperimentConfig, overrides: Mapping[str, Any]) -> ExperimentConfig:
    """Return the experiment with some of its budget settings replaced.

    Raises
    ------
    ConfigError
        When a value is not possible.
    """
    plain = to_dict(experiment)
    return from_dict(plain | {"budget": plain["budget"] | dict(overrides)}, "the budget asked for")


class _UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, refusing a key that is given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        merge = "tag:yaml.org,2002:merge"  # `<<`, which names other keys
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"key given twice: {', '.join(twice)}{node.start_mark}")
        return super().construct_mapping(node, deep)


def to_dict(experiment: ExperimentConfig) -> dict[str, Any]:
    """Return the experiment, fully resolved, as plain values that `from_dict` reads back."""
    plain = json.loads(json.dumps(asdict(experiment)))
    plain["model"]["priors"] = {
        name: prior_to_dict(prior) for name, prior in experiment.model.priors.items()
    }
    return plain


def to_yaml(experiment: ExperimentConfig) -> str:
    """Return the experiment, fully resolved, as YAML."""
    return yaml.safe_dump(to_dict(experiment), sort_keys=False, allow_unicode=True)


def flat_params(experiment: ExperimentConfig) -> dict[str, str | int | float]:
    """Return the experiment as flat, dotted parameters for the tracking store."""
    model, data = experiment.model, experiment.data
    params: dict[str, str | int | float] = {
        "experiment.name": experiment.name,
        "experiment.market": experiment.market,
        "data.source": data.source,
        "data.missing_spend": data.missing_spend,
        "model.channels": ", ".join(model.channel_columns),
        "model.controls": ", ".join(model.control_columns) or "none",
        "model.adstock.max_lag": model.adstock_max_lag,
        "model.adstock.type": "geometric",
        "model.saturation.type": "logistic",
        "model.seasonality.modes": model.yearly_seasonality,
    }
    if data.source == "simulated":
        params |= {"data.seed": data.seed, "data.weeks": data.weeks}
    if data.path:
        params["data.path"] = data.path
    if data.dt_mart:
        groups = (f"{name} = {' + '.join(of)}" for name, of in data.dt_mart.groups.items())
        params |= {"data.august": data.dt_mart.august, "data.groups": ", ".join(groups)}
        params["data.radio_other"] = data.dt_mart.radio_other
    params |= {f"sampler.{key}": value for key, value in asdict(experiment.sampler).items()}
    params |= {f"gate.limit.{key}": value for key, value in asdict(experiment.gate).items()}
    for name, prior in model.priors.items():
        params[f"prior.{name}"] = str(prior)
        if prior.rationale:
            params[f"prior.{name}.rationale"] = prior.rationale
    return params
