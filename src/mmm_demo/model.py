"""Build, sample and read one model: the door of `fits`."""

from mmm_demo.fits.build import build_model
from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.fits.ladder import Attempt
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.sampler import Sampling, sample_posterior
from mmm_demo.fits.tables import describe, share_table
from mmm_demo.fits.trace import load_trace, save_trace

__all__ = [
    "Attempt",
    "Decomposition",
    "FittedModel",
    "Sampling",
    "build_model",
    "describe",
    "load_trace",
    "sample_posterior",
    "sample_prior",
    "save_trace",
    "share_table",
]
