"""Measure, then judge: the door of `checks`."""

from mmm_demo.checks.contraction import contraction_table, not_identified
from mmm_demo.checks.convergence import convergence_checks, prior_check
from mmm_demo.checks.gate import Check, GateRefused, GateReport, PassedGate
from mmm_demo.checks.judge import judge

__all__ = [
    "Check",
    "GateRefused",
    "GateReport",
    "PassedGate",
    "contraction_table",
    "convergence_checks",
    "judge",
    "not_identified",
    "prior_check",
]
