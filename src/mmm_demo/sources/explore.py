"""What a weekly table can tell about marketing, and what it cannot, before any model is fitted."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from mmm_demo.settings.experiment import ModelConfig, free_parameters
from mmm_demo.settings.names import key
from mmm_demo.settings.run_schema import by_channel
from mmm_demo.settings.wording import join_words
from mmm_demo.sources import explore_measures as measure
from mmm_demo.sources import explore_verdict as say
from mmm_demo.tables.faults import DataError, judged
from mmm_demo.tables.records import above_lowest, marked_by


@dataclass(frozen=True, eq=False)
class Exploration:
    """What a weekly table holds and what it can tell.

    Attributes
    ----------
    source, model, table
        What was explored: name of the source, roles of the columns, the weekly table itself.
    missing_weeks
        Weeks between the first and the last that have no row.
    parameters, media_parameters
        Values that the model has to learn: all, and those of adstock, saturation and effect.
    media_observations
        Spend levels of all channels taken together, see `explore_measures.spend_steps`.
    columns
        column, role, mean, sd, min, max, zero_weeks (share of weeks) and outliers (number).
    channels
        channel, spend (sum), spend_share, levels, weeks_per_level, amounts, monthly (see
        `explore_measures.spend_levels`), vif (given the other channels) and vif_with_controls
        (given the controls, too); infinite when the others reproduce the channel.
    outliers
        column, role, week, value, robust_z, kind and marked_by (indicators and counts that are
        above their lowest value in that week). Weeks of almost no target are a hole in the records.
    correlations
        Square, by column name: target, channels, controls. Those with the target leave out the
        hole, and so do `lagged` and `effects`; NaN where nothing else varies.
    condition_number
        Of the standardised channels; infinite when one is made of others.
    lagged, effects, pairs, contrasts
        See `lagged_correlations`, `control_effects`, `column_pairs` and `channel_contrasts` of
        `explore_measures`.
    """

    source: str
    model: ModelConfig
    table: pd.DataFrame
    missing_weeks: tuple[pd.Timestamp, ...]
    parameters: int
    media_parameters: int
    media_observations: int
    columns: pd.DataFrame
    channels: pd.DataFrame
    outliers: pd.DataFrame
    correlations: pd.DataFrame
    condition_number: float
    lagged: pd.DataFrame
    effects: pd.DataFrame
    pairs: pd.DataFrame
    contrasts: pd.DataFrame

    @property
    def weeks(self) -> pd.Series:
        """Dates of the table."""
        return self.table[self.model.date_column]

    @property
    def observations_per_parameter(self) -> float:
        """Weeks per value that the model has to learn."""
        return len(self.table) / self.parameters

    @property
    def verdict(self) -> tuple[str, ...]:
        """What this data can tell, in sentences with numbers."""
        target, channels = self.model.target_column, [*self.model.channel_columns]
        with_hole = self.table[channels].corrwith(self.table[target])
        empty = _hole(self.outliers, self.weeks).to_numpy()
        parts = (
            say.length(self.weeks, self.missing_weeks, self.parameters),
            say.levels(self.channels, len(self.table)),
            say.joint_levels(self.media_observations, self.media_parameters, len(channels)),
            say.separation(self.pairs, self.contrasts),
            say.collinearity(self.channels, self.condition_number),
            say.confounding(self.pairs),
            say.effects(self.effects, target),
            say.outliers(self.outliers),
            say.holes(
                self.outliers,
                marked_by(self.table[[*self.model.control_columns]], empty),
                with_hole,
                self.correlations.loc[channels, target],
            ),
        )
        return tuple(chain.from_iterable(parts))

    def metrics(self) -> dict[str, float]:
        """Return the numbers as flat metrics for the tracking store, e.g. `explore.vif.TV`."""
        same = self.pairs[self.pairs["kind"] == "channels"]
        found = {
            "weeks": len(self.table),
            "missing_weeks": len(self.missing_weeks),
            "parameters": self.parameters,
            "obs_per_parameter": self.observations_per_parameter,
            "media_observations": self.media_observations,
            "media_obs_per_parameter": self.media_observations / self.media_parameters,
            "condition_number": self.condition_number,
            "outliers": len(self.outliers),
            "max_correlation": same["correlation"].abs().max() if len(same) else 0.0,
            "pairs_inseparable": (same["verdict"] == measure.CANNOT).sum(),
        }
        found = {f"explore.{name}": value for name, value in found.items()}
        for name in ("vif", "vif_with_controls", "levels", "amounts", "spend_share"):
            found |= by_channel(f"explore.{name}", self.channels, name)
        effects = zip(self.effects["control"], self.effects["share"], strict=True)
        found |= {key(control, "explore.effect_share."): value for control, value in effects}
        return {name: float(value) for name, value in found.items()}


def explore(table: pd.DataFrame, model: ModelConfig, where: str) -> Exploration:
    """Explore a weekly table that passed the contract.

    Parameters
    ----------
    table
        One row per week: date, target, channels, controls.
    model
        Roles of the columns, adstock lag and parameters.
    where
        Name of the source.

    Raises
    ------
    DataError
        When a column is missing, not finite or constant, or there are too few weeks.
    """
    target, channels = model.target_column, [*model.channel_columns]
    controls = [*model.control_columns]
    table = _checked(table, model, where)
    weeks, spend, inputs = table[model.date_column], table[channels], table[[*channels, *controls]]
    outliers = _outlier_table(table, model)
    used = ~_hole(outliers, weeks)
    sizes = free_parameters(model)
    shares = spend.sum().rename("spend").rename_axis("channel").reset_index()
    shares["spend_share"] = shares["spend"] / shares["spend"].sum()
    return Exploration(
        source=where,
        model=model,
        table=table,
        missing_weeks=tuple(
            pd.date_range(weeks.iloc[0], weeks.iloc[-1], freq="7D").difference(weeks)
        ),
        parameters=sum(sizes.values()),
        media_parameters=sum(sizes[name] for name in model.channel_parameters),
        media_observations=int(measure.spend_steps(spend.to_numpy()).max()) + 1,
        columns=_column_table(table, model, outliers),
        channels=shares.merge(measure.spend_levels(spend, weeks), on="channel").assign(
            vif=measure.variance_inflation(spend, channels),
            vif_with_controls=measure.variance_inflation(inputs, channels),
        ),
        outliers=outliers,
        correlations=_correlations(table[target], inputs, used),
        condition_number=measure.condition_number(spend),
        lagged=measure.lagged_correlations(table[target], spend, model.longest_lag, used),
        effects=measure.control_effects(table[target], table[controls], used),
        pairs=measure.column_pairs(inputs, channels, controls),
        contrasts=measure.channel_contrasts(spend),
    )


def _roles(model: ModelConfig) -> dict[str, str]:
    roles = {model.target_column: "target"} | dict.fromkeys(model.channel_columns, "channel")
    return roles | dict.fromkeys(model.control_columns, "control")


def _checked(table: pd.DataFrame, model: ModelConfig, where: str) -> pd.DataFrame:
    date, *names = model.columns
    if missing := [name for name in model.columns if name not in table]:
        raise DataError(f"{where} lacks {', '.join(missing)}; correct the columns of the model")
    least = model.longest_lag + 3
    if len(table) < least:
        raise DataError(f"{where} has {len(table)} week(s), at least {least} are needed to explore")
    table = table[[date, *names]].reset_index(drop=True).astype(dict.fromkeys(names, float))
    judges = {
        "not finite:": lambda values: not np.isfinite(values).all(),
        "constant:": lambda values: values.nunique() == 1,
    }
    if found := judged(table[names], judges):
        raise DataError(f"{where} has columns that tell nothing: {'; '.join(found)}")
    return table


def _column_table(table: pd.DataFrame, model: ModelConfig, outliers: pd.DataFrame) -> pd.DataFrame:
    roles = _roles(model)
    values = table[[*roles]]
    found = {"role": pd.Series(roles), "mean": values.mean(), "sd": values.std()}
    found |= {"min": values.min(), "max": values.max(), "zero_weeks": (values == 0).mean()}
    counts = outliers["column"].value_counts().reindex([*roles], fill_value=0)
    return pd.DataFrame(found | {"outliers": counts}).rename_axis("column").reset_index()


def _outlier_table(table: pd.DataFrame, model: ModelConfig) -> pd.DataFrame:
    flags = {
        name: above_lowest(table[name])
        for name in model.control_columns
        if table[name].nunique() <= measure.FEW_VALUES
    }
    parts = []
    for name, role in _roles(model).items():
        found = measure.outlying_weeks(table[name], with_holes=role == "target")
        marks = [join_words([flag for flag, on in flags.items() if on[row]]) for row in found.index]
        found.insert(0, "column", name)
        found.insert(1, "role", role)
        found.insert(2, "week", table.loc[found.index, model.date_column])
        parts.append(found.assign(marked_by=pd.Series(marks, found.index, dtype=object)))
    return pd.concat(parts, ignore_index=True)


def _hole(outliers: pd.DataFrame, weeks: pd.Series) -> pd.Series:
    """Return which weeks are a hole in the records of the target."""
    return weeks.isin(outliers.loc[outliers["kind"] == measure.HOLE, "week"])


def _correlations(target: pd.Series, inputs: pd.DataFrame, used: pd.Series) -> pd.DataFrame:
    known = pd.concat([target, inputs], axis=1)[used]
    varying = known.loc[:, known.nunique() > 1]
    with_target = varying.corrwith(varying[target.name]).reindex(known.columns)
    table = pd.concat([target, inputs], axis=1).corr()
    table.loc[target.name, :] = with_target
    table.loc[:, target.name] = with_target
    return table
