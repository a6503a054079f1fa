"""Bayesian marketing mix modeling: gated fits, a model registry and budget plans in one loop."""

__version__ = "0.1.0"
