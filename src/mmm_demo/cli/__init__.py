"""Words -> jobs: click options and commands, the terminal, the web UI, a server for a team."""
