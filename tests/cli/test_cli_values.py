"""Words on the command line that may leave a value open."""

import click
import pytest

from mmm_demo.cli.values import UNSET, OrUnset, open_option

COUNT = OrUnset(click.IntRange(1), "default")


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (COUNT, UNSET, None),
        (COUNT, "3", 3),
        (OrUnset(click.STRING, "all"), "default", "default"),
        (OrUnset(click.FLOAT, "from_file"), "1e6", 1e6),
    ],
)
def test_a_word_is_a_value_or_leaves_it_open(kind, word, value, capsys):
    assert kind.convert(word, None, None) == value
    assert capsys.readouterr() == ("", "")


def test_an_old_word_still_leaves_it_open_and_one_line_says_the_new_one(capsys):
    assert COUNT.convert("default", click.Option(["--workers"]), None) is None
    out, err = capsys.readouterr()
    told = "--workers: write unset instead of default, which the next release refuses\n"
    assert (out, err) == ("", told)


@pytest.mark.parametrize("word", ["0", "-1", "two", "1.5", "", "Default", "Unset", "none", "all"])
def test_any_other_word_is_refused(word):
    with pytest.raises(click.BadParameter):
        COUNT.convert(word, None, None)


def test_help_says_what_holds_when_it_is_not_given():
    @click.command()
    @open_option("--count", click.INT, "How many.", unset="all of them", old="any")
    def some(count): ...

    shown = some.get_help(click.Context(some))
    assert "--count INTEGER  How many.  [unset: all of them]" in shown
