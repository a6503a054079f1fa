"""Forms of a model: what each is, its array with its slope, and its graph, side by side."""
