"""Evidence beyond convergence: one kind of check per file, pure functions from draws to checks."""
