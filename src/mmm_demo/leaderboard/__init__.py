"""Fits ranked by evidence, and what the ranking leaves open."""
