"""From a scenario and a champion to a plan, one small step per module."""
