"""Words -> a server for a team."""

from pathlib import Path

import click

from mmm_demo.cli.terminal import say


@click.command()
@click.option(
    "--database",
    required=True,
    envvar="MMM_DEMO_SERVER_DATABASE",
    help="PostgreSQL, e.g. postgresql://mmm_demo@127.0.0.1/mlflow; the password is found in "
    "~/.pgpass. Also by the variable MMM_DEMO_SERVER_DATABASE.",
)
@click.option("--artifacts", required=True, type=click.Path(path_type=Path), help="Their folder.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="Port there."
)
def server(database: str, artifacts: Path, host: str, port: int) -> None:
    """Serve MLflow to a team: runs in PostgreSQL, nobody gets in without a password."""
    from mmm_demo.cli import team_server

    team_server.serve(database, artifacts, host, port, say)
