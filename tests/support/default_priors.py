"""Parameters of the default forms, and their default priors, by name."""

from mmm_demo.forms.registry import default, find
from mmm_demo.settings.experiment import OF_EVENTS
from mmm_demo.settings.priors import default_prior, parameters_of

DEFAULT_PARAMETERS = {
    name: item
    for name, item in parameters_of(lambda kind: find(kind, default(kind))).items()
    if name not in OF_EVENTS
}
DEFAULT_PRIORS = {name: default_prior(item) for name, item in DEFAULT_PARAMETERS.items()}
