"""Words on the command line that may leave a value open."""

import click
import pytest

from mmm_demo.cli.values import OrUnset

COUNT = OrUnset(click.IntRange(1), "default")


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (COUNT, "default", None),
        (COUNT, "3", 3),
        (OrUnset(click.STRING, "all"), "all", None),
        (OrUnset(click.STRING, "all"), "default", "default"),
        (OrUnset(click.FLOAT, "from_file"), "1e6", 1e6),
    ],
)
def test_a_word_is_a_value_or_leaves_it_open(kind, word, value):
    assert kind.convert(word, None, None) == value


@pytest.mark.parametrize("word", ["0", "-1", "two", "1.5", "", "Default", "none"])
def test_any_other_word_is_refused(word):
    with pytest.raises(click.BadParameter):
        COUNT.convert(word, None, None)


def test_help_shows_both():
    assert COUNT.name == "integer range|default"
