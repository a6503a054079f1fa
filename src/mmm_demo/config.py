"""What an experiment is: the dataclasses of `settings`."""

from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import (
    BudgetConfig,
    ConfigError,
    ExperimentConfig,
    ModelConfig,
    SamplerConfig,
    ScalingConfig,
    free_parameters,
    registered_model_name,
    to_dict,
)
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.settings.priors import PriorConfig

__all__ = [
    "BudgetConfig",
    "ConfigError",
    "DataConfig",
    "EvidenceConfig",
    "ExperimentConfig",
    "GateConfig",
    "ModelConfig",
    "PriorConfig",
    "SamplerConfig",
    "ScalingConfig",
    "free_parameters",
    "registered_model_name",
    "to_dict",
]
