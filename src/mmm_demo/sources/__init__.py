"""Where a weekly table comes from, and what it can tell before any fit."""
