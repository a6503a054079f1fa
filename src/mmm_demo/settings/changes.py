"""Another experiment by a few settings: what a remedy changes, and how it is written."""

import copy
from collections.abc import Mapping
from typing import Any

from mmm_demo.settings.experiment import ConfigError, ExperimentConfig, to_dict
from mmm_demo.settings.experiment_file import from_dict

# Names from the experiment inwards. They are no dotted text, as a channel's name may have a dot.
Place = tuple[str, ...]
Settings = Mapping[Place, Any]


def changed(experiment: ExperimentConfig, settings: Settings, name: str = "") -> ExperimentConfig:
    """Return an experiment with other values of some settings.

    Parameters
    ----------
    experiment
        Stays as it is.
    settings
        Values by place; sections that the experiment does not write are made.
    name
        Of the new one; the old one's by default.

    Raises
    ------
    ConfigError
        When the values do not make an experiment.
    """
    plain = copy.deepcopy(to_dict(experiment))
    for place, value in settings.items():
        *sections, last = place
        inner = plain
        for section in sections:
            if inner.get(section) is None:
                inner[section] = {}
            inner = inner[section]
            if not isinstance(inner, dict):
                raise ConfigError(f"{written(place)}: the experiment has no {section} to change")
        inner[last] = copy.deepcopy(value)
    plain["name"] = name or plain["name"]
    return from_dict(plain, told(settings))


def written(place: Place) -> str:
    """Return a place as people write it, e.g. `model.adstock_max_lag`."""
    return ".".join(place)


def told(settings: Settings) -> str:
    """Return settings in one line, e.g. `model.adstock_max_lag: 13, model.baseline: drift`."""
    return ", ".join(f"{written(place)}: {_plain(value)}" for place, value in settings.items())


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
