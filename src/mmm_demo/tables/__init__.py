"""What a weekly table must be before a model may see it, and how it is read."""
