"""The batteries of refits by name, in the order of `settings.batteries`."""

from mmm_demo.evidence.backtest import BACKTEST
from mmm_demo.evidence.placebo import PLACEBO
from mmm_demo.evidence.recovery import RECOVERY
from mmm_demo.evidence.sensitivity import SENSITIVITY

REFITTED = {battery.name: battery for battery in (BACKTEST, RECOVERY, PLACEBO, SENSITIVITY)}
