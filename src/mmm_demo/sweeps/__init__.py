"""Many trials of one experiment, here or on a cluster."""
