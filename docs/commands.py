"""Write what `mmm-demo VERB --help` says into commands.md; a test holds the page to it.

uv run docs/commands.py
"""

import re
from pathlib import Path

import click

from mmm_demo.cli.verbs import cli

PAGE = Path(__file__).with_name("commands.md")
BLOCK = re.compile(r"(?<=<!-- help of )([a-z]+) -->\n.*?(?=<!-- end -->)", flags=re.DOTALL)


def told(verb: str) -> str:
    """Return purpose, usage and options of a verb in Markdown."""
    command = cli.commands[verb]
    context = click.Context(command, info_name=verb, parent=click.Context(cli))
    usage = " ".join(["uv run mmm-demo", verb, *command.collect_usage_pieces(context)])
    records = [option.get_help_record(context) for option in command.params]
    rows = [[cell.replace("|", r"\|") for cell in record] for record in records if record]
    table = [f"| `{option}` | {' '.join(text.split())} |" for option, text in rows]
    head = ["| option | what |", "|---|---|"] if table else []
    purpose = " ".join(str(command.help).split())
    return "\n".join([purpose, "", "```text", usage, "```", "", *head, *table, "", ""])


def written(page: str) -> str:
    """Return the page with each verb's block as its help is now."""
    return BLOCK.sub(lambda found: f"{found[1]} -->\n{told(found[1])}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), encoding="utf-8")
