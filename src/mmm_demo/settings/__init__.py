"""What a user may write: experiments, plans and sweeps, priors and limits, names and numbers."""
