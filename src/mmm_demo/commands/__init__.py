"""Words, terminal and servers around the jobs."""
