"""Names that a spreadsheet can hold: one to one in every store, shown as they are written."""

import random
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.utils.validation import (
    _validate_metric_name,
    _validate_model_version_tag,
    _validate_param_name,
    _validate_tag_name,
)

from drawn_model import drawn_model
from helpers import PROJECT, make_experiment, refusal, small_model
from mmm_demo.fits.trace import stored_table
from mmm_demo.plots import chains, results
from mmm_demo.plots.glyphs import keyed, shown, with_glyphs
from mmm_demo.settings.experiment import ExperimentConfig, ModelConfig
from mmm_demo.settings.experiment_file import from_dict, to_yaml
from mmm_demo.settings.names import as_markdown, file_names, key, markdown_table, variable
from mmm_demo.settings.run_schema import read_csv
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run

CASES = PROJECT / "tests" / "cases"
PREFIXES = ("roas.", "identification.prior_sensitivity.", f"plan.{'s' * 60}.planned.")
ON_WINDOWS = re.compile(r"[/\w.\- ]*")  # MLflow's rule there; elsewhere it takes colons, too
# What works in a fit of today has these names, which stored versions and runs go by.
TODAY = ["TV", "Content Marketing", "tv_ads", "Online-Display", "a.b", "TV 2", "Père Noël", "2024"]
ALPHABET = [*"aAbT10_-. ", *"/\\:;,%&|<>*?'\"$^~`#@!()[]{}+=€é検Жא", "📺", "e\u0301", "\u200d", "ß"]
HARD = [
    *('TV: spend (€) / 100 % "prime"', "a%b", "a&b", "a_b", "a_b-0x4e012385d7", "a_b-0xc6332f10ce"),
    *(
        "TV",
        "tv",
        "Tv ",
        "TV-",
        ".",
        "..",
        "../x",
        "./x",
        "/",
        "//",
        "a//b",
        "a/",
        "~",
        "con",
        "nul",
    ),
    *("検索", "テレビ", "社交", "Реклама", "हिन्दी", "📺", "📻", "é", "e\u0301", "x" * 200),
    *(
        "x" * 300,
        "x" * 299 + "y",
        "検" * 200,
        "row",
        "y",
        "channel",
        "_nc4_non_coord_x",
        "x_nc4_non_coord_",
    ),
    *(
        "[bold]TV[/bold]",
        ":tv:",
        "$x$ and $y",
        "<script>x</script>",
        "a|b",
        "`x`",
        "'",
        '"',
        "\\",
        "NA",
    ),
]


def hard_names(count: int = 3000) -> list[str]:
    """Return names of hard characters, and among them what the stores make of such names."""
    rng = random.Random(12)
    names = dict.fromkeys(HARD + TODAY)
    while len(names) < count:
        name = "".join(rng.choices(ALPHABET, k=rng.randint(1, 6)))
        # Names that look as if they were made here, of the same name and of others.
        names |= dict.fromkeys([name, key(name), variable(name), key(key(name))])
    return list(names)


NAMES = hard_names()


# --- one to one


@pytest.mark.parametrize("before", PREFIXES)
def test_keys_of_metrics_are_one_to_one(before: str) -> None:
    assert len({key(name, before) for name in NAMES}) == len(NAMES)


def test_variables_of_a_trace_are_one_to_one() -> None:
    assert len({variable(name) for name in NAMES}) == len(NAMES)
    taken = {"y", "channel"}
    inside = {variable(name, taken) for name in NAMES}
    assert len(inside) == len(NAMES) and not inside & taken


def test_files_are_one_to_one_also_where_case_and_composition_do_not_count() -> None:
    files = file_names(NAMES)
    assert list(files) == NAMES
    same = {unicodedata.normalize("NFD", file).casefold() for file in files.values()}
    assert len(same) == len(NAMES)


@pytest.mark.parametrize("name", TODAY)
def test_names_that_could_be_held_are_kept(name: str) -> None:
    assert key(name, "roas.") == f"roas.{name}"
    assert variable(name) == name


def test_files_of_channels_are_called_as_before() -> None:
    files = file_names(["Content Marketing", "TV", "Père Noël", "A+B"])
    assert list(files.values()) == ["content_marketing", "tv", "p_re_no_l", "a_b"]


def test_what_must_be_replaced_stays_readable_and_is_marked() -> None:
    assert re.fullmatch(r"roas\.a_b-0x[0-9a-f]{10}", key("a%b", "roas."))
    assert key("a%b") != key("a&b") != "a_b"
    assert re.fullmatch(r"Promo _ Sale-0x[0-9a-f]{10}", variable("Promo / Sale"))
    assert re.fullmatch(r"contraction\.alpha_x_y-0x.{10}_", key("x:y", "contraction.alpha_", "_"))


@pytest.mark.parametrize("channels", [["TV Ads", "TV-Ads"], ["TV", "tv"], ["A+B", "A B", "a_b"]])
def test_channels_that_differ_in_case_or_punctuation_have_files_of_their_own(
    channels: list[str],
) -> None:
    model = make_experiment(model=small_model(channel_columns=channels)).model
    files = file_names(model.channel_columns)
    assert len(set(files.values())) == len(channels)
    assert all(file.startswith(("tv", "a_b")) for file in files.values())
    turned = file_names(channels[::-1])
    assert turned == files  # not by the order in which they stand


# --- accepted where they go


@pytest.mark.parametrize("before", PREFIXES)
def test_mlflow_takes_every_key_on_every_system(before: str) -> None:
    for name in NAMES:
        made = key(name, before)
        _validate_metric_name(made)
        _validate_param_name(made)
        _validate_tag_name(made)
        _validate_model_version_tag(made, "value")
        assert ON_WINDOWS.fullmatch(made), made


def test_a_disk_takes_every_name_of_a_file(tmp_path: Path) -> None:
    names = list(dict.fromkeys(HARD + TODAY))
    publisher = Publisher(Run(MlflowClient("http://nobody"), "1a2b3c4d5e6f", "0"), tmp_path)
    for file in file_names(names).values():
        path = publisher.path("contributions", "contribution", file)
        path.touch()
    assert len(list((tmp_path / "outputs/plots/contributions").iterdir())) == len(names)


@pytest.mark.slow
def test_a_trace_takes_every_column(tmp_path: Path) -> None:
    """In traces of a hundred columns each: reading one takes the square of their number."""
    assert len({variable(name) for name in NAMES}) == len(NAMES)
    for first in range(0, len(NAMES), 100):
        names, path = NAMES[first : first + 100], tmp_path / f"{first}.nc"
        table = pd.DataFrame({name: [float(at)] for at, name in enumerate(names)})
        tree = xr.DataTree.from_dict({"weekly_table": stored_table(table)})
        tree.to_netcdf(path, engine="h5netcdf")
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            read = opened["weekly_table"].to_dataset().load()
        assert [float(read[variable(name)].item()) for name in names] == list(range(len(names)))


def test_an_experiment_file_brings_every_name_back() -> None:
    names = [name for name in HARD if name not in ("Week", "Sales")]
    experiment = make_experiment(model=small_model(channel_columns=names, control_columns=[]))
    assert from_dict(yaml.safe_load(to_yaml(experiment)), "again") == experiment


# --- what a name may not hold


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("TV\nspend", "TV spend"),
        ("TV\r\n", "TV"),
        ("T\0V", "T V"),
        ("a\u2028b", "a b"),
        ("\n", "col"),
    ],
)
@pytest.mark.parametrize("role", ["channel_columns", "control_columns", "target_column"])
def test_a_name_of_several_lines_is_refused_with_a_better_one(
    role: str, name: str, better: str
) -> None:
    given = name if role == "target_column" else ["TV", name]
    text = refusal(model=small_model(**{role: given}))
    assert "line break or control character; rename the column in the file" in text
    assert f"e.g. '{better}" in text


@pytest.mark.parametrize("case", ["special2", "special3", "special4", "cjk"])
def test_tables_as_people_have_them_are_accepted(case: str) -> None:
    experiment = experiment_of(case)
    header = pd.read_csv(CASES / f"{case}.csv", nrows=0).columns
    assert set(experiment.model.columns) <= set(header)


def experiment_of(case: str) -> ExperimentConfig:
    return from_dict(yaml.safe_load((CASES / f"{case}.yaml").read_text("utf-8")), case)


# --- shown as they are written


@pytest.mark.parametrize(
    ("written", "marked"),
    [
        ("TV 1.20 (0.80 to 1.70)", "TV 1.20 (0.80 to 1.70)"),
        ("gamma_control[price] <= 1.01", "gamma_control[price] <= 1.01"),
        ("a|b", r"a\|b"),
        ("*TV* and _Radio_", r"\*TV\* and \_Radio\_"),
        ("<b>TV</b>", r"\<b>TV\</b>"),
        ("[TV](http://x)", r"\[TV](http://x)"),
        ("run `mmm-demo a_ *`", "run `mmm-demo a_ *`"),
    ],
)
def test_markdown_shows_names_as_they_are_written(written: str, marked: str) -> None:
    assert as_markdown(written) == marked


def drawn(figure: Figure) -> np.ndarray:
    FigureCanvasAgg(figure).draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def labelled(name: str) -> Figure:
    figure = Figure(figsize=(4, 2), layout="constrained")
    ax = figure.subplots()
    ax.set_yticks([0, 1], [name, "TV"])
    ax.plot([0, 1], label=keyed(name))
    ax.set_title(name)
    ax.legend()
    return figure


def test_letters_without_a_font_are_written_as_their_codes() -> None:
    with plt.rc_context({"text.parse_math": False}):
        figure = with_glyphs(labelled("\U0010fff0 $x$"))  # private use: no font of words has it
        drawn(figure)
    (ax,) = figure.axes
    assert ax.get_title() == "[10FFF0] $x$"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["[10FFF0] $x$", "TV"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["[10FFF0] $x$"]


def test_letters_of_the_figures_own_font_stay_as_they_are() -> None:
    figure = labelled("Père Ж €")
    before = drawn(figure)
    assert (drawn(with_glyphs(figure)) == before).all()


def test_names_in_figures_are_short_and_differ_where_they_end() -> None:
    long = "A very long name of a campaign " * 7
    first, second = shown(long + "north"), shown(long + "south")
    assert first != second and max(map(len, first.split("\n"))) <= 34
    assert shown("TV") == "TV" and keyed("_tv") == " _tv"


@pytest.mark.parametrize(
    "names",
    [
        ["x" * 200, "検" * 200],
        ["A very long name of a campaign " * 7 + end for end in ("north", "south")],
        ["_tv", "$a$ [b] \\frac{", "a\u200db 📺"],
    ],
)
def test_figures_take_long_and_hard_names_and_leave_room_for_the_data(names: list[str]) -> None:
    values = {"mean": 0.2, "median": 0.2, "lower_50": 0.1, "upper_50": 0.3}
    table = pd.DataFrame({"channel": names}).assign(
        **values, lower_94=0.1, upper_94=0.3, spend_share=0.5
    )
    weeks = pd.date_range("2024-01-01", periods=5, freq="7D").to_numpy()
    parts = pd.DataFrame(dict.fromkeys(names, np.ones(5)))
    draws = np.random.default_rng(1).normal(size=(2, 50, len(names)))
    posterior = xr.Dataset(
        {"beta": (("chain", "draw", "channel"), draws)}, coords={"channel": names}
    )
    figures = [results.roas(table), results.channel_shares(table)]
    figures += [results.contributions_over_time(weeks, parts, np.ones(5))]
    figures += [chains.trace(posterior), chains.forest(posterior)]
    for figure in figures:
        drawn(figure)
        assert all(ax.get_position().width > 0.15 for ax in figure.axes)
    assert len(figures[2].legends[0].get_texts()) == len(names) + 2


def test_parts_of_sales_and_channels_of_the_same_name_are_told_apart() -> None:
    model = drawn_model()
    parts = model.decompose()
    named = replace(parts, channels=parts.channels.assign_coords(channel=["baseline", "Radio"]))
    means = named.means()
    assert list(means) == ["baseline", "seasonality", "controls", "baseline (channel)", "Radio"]
    np.testing.assert_allclose(means.sum(axis=1), parts.means().sum(axis=1))


def test_channels_called_like_a_gap_or_a_number_are_read_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"channel": ["NA", "2024", "null", "TV"], "median": [1.0, 2.0, np.nan, 4]})
    table.to_csv(tmp_path / "roas.csv", index=False)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "roas.csv"), table, check_dtype=False)


def test_names_of_the_models_own_parts_are_columns_like_others() -> None:
    config = ModelConfig(channel_columns=("y", "channel"), date_column="row", target_column="date")
    assert config.columns == ("row", "date", "y", "channel")


def test_a_table_in_markdown_has_a_line_a_row() -> None:
    lines = markdown_table(("a", "b"), [("1", "2"), ["x", as_markdown("y|z")]])
    assert lines == ["| a | b |", "|---|---|", "| 1 | 2 |", r"| x | y\|z |"]
    assert markdown_table(("a",), []) == ["| a |", "|---|"]
