"""Experiment files: read from YAML, validated whole, written back, flattened to params."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from mmm_demo.config import (
    BudgetConfig,
    ConfigError,
    DataConfig,
    EvidenceConfig,
    ExperimentConfig,
    GateConfig,
    ModelConfig,
    SamplerConfig,
    ScalingConfig,
    to_dict,
)

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
        ("model", "scaling"): ScalingConfig,
        ("sampler",): SamplerConfig,
        ("gate",): GateConfig,
        ("evidence",): EvidenceConfig,
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
        "model.saturation.type": model.saturation,
        "model.seasonality.modes": model.yearly_seasonality,
    }
    if data.source == "simulated":
        params |= {"data.seed": data.seed, "data.weeks": data.weeks}
    if data.path:
        params["data.path"] = data.path
    if data.lift_tests:
        params["data.lift_tests"] = data.lift_tests
    if data.dt_mart:
        groups = (f"{name} = {' + '.join(of)}" for name, of in data.dt_mart.groups.items())
        params |= {"data.august": data.dt_mart.august, "data.groups": ", ".join(groups)}
        params["data.radio_other"] = data.dt_mart.radio_other
    params |= {f"sampler.{key}": value for key, value in asdict(experiment.sampler).items()}
    params |= {f"gate.limit.{key}": value for key, value in asdict(experiment.gate).items()}
    plausible = " to ".join(f"{end:g}" for end in experiment.gate.roas_range or ())
    params["gate.limit.require"] = ", ".join(experiment.gate.require) or "none"
    params["gate.limit.roas_range"] = plausible or "none"
    params |= {f"evidence.{key}": value for key, value in asdict(experiment.evidence).items()}
    for name, prior in model.priors.items():
        params[f"prior.{name}"] = str(prior)
        if prior.rationale:
            params[f"prior.{name}.rationale"] = prior.rationale
    return params
