"""A fitted model and a scenario -> a plan: the door of `planning`."""

from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.planning.plan import Plan
from mmm_demo.settings.scenario import PlanRequest, Scenario

__all__ = ["Plan", "PlanRequest", "Scenario", "optimize_budget"]
