"""From a fitted model and a scenario to a plan, and what became of it."""
