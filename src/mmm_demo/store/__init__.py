"""Runs, versions and files: MLflow, and what is broken in its store."""
