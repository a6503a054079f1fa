"""Experiment files: read from YAML, validated whole, written back, flattened to params."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmm_demo.settings.experiment import (
    ADDED_FORMS,
    ADDED_TO_DATA,
    ExperimentConfig,
    to_dict,
)
from mmm_demo.settings.yaml_file import build, dump, read_mapping


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
    return build(ExperimentConfig, content, where)


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
    content = read_mapping(path, "experiment", "experiments")
    for section, values in (overrides or {}).items():
        inner = content.setdefault(section, {})
        if isinstance(inner, dict):  # anything else is reported by the validation below
            inner.update(values)
    return from_dict(content, str(path))


def to_yaml(experiment: ExperimentConfig) -> str:
    """Return the experiment, fully resolved, as YAML."""
    return dump(to_dict(experiment))


def flat_params(experiment: ExperimentConfig) -> dict[str, str | int | float]:
    """Return the experiment as flat, dotted parameters for the tracking store."""
    model, data = experiment.model, experiment.data
    params: dict[str, str | int | float] = {
        "experiment.name": experiment.name,
        "experiment.market": experiment.market,
        "data.source": data.source,
        "data.missing_spend": data.missing_spend,
        "data.trend": data.trend,
        "model.channels": ", ".join(model.channel_columns),
        "model.controls": ", ".join(model.control_columns) or "none",
        "model.adstock.max_lag": model.adstock_max_lag,
        "model.adstock.type": model.adstock,
        "model.saturation.type": model.saturation,
        "model.seasonality.modes": model.yearly_seasonality,
    }
    for kind, usual in ADDED_FORMS.items():
        if (form := getattr(model, kind)) != usual:
            params[f"model.{kind}.type"] = form
    if model.autocorrelation:
        params["model.autocorrelation"] = "true"
    if data.source == "simulated":
        params |= {"data.seed": data.seed, "data.weeks": data.weeks}
    if data.path:
        params["data.path"] = data.path
    for name in ("decimal", "separator"):
        if (value := getattr(data, name)) != ADDED_TO_DATA[name]:
            params[f"data.{name}"] = value
    if data.holidays:
        params |= {f"data.holidays.{name}": of for name, of in data.holidays.params().items()}
    if data.events:
        params["data.events"] = data.events
    if data.lift_tests:
        params["data.lift_tests"] = data.lift_tests
    if data.dt_mart:
        params |= {"data.august": data.dt_mart.august}
        params["data.radio_other"] = data.dt_mart.radio_other
    params |= {f"data.accept.{i}": str(entry) for i, entry in enumerate(data.accept, 1)}
    if data.grouping:
        params["data.groups"] = data.grouping
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
