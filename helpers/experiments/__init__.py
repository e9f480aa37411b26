"""Experiments: functions from (seed, n, recipe) to named arrays, one row a replicate.

A module a world (a data source with its networks). `store` keeps what they returned, `run` calls them, `judge` turns
stored replicates into verdicts. ``experiments.list()`` and ``experiments.load(id)`` need no TensorFlow.
"""

from __future__ import annotations

import pandas as pd

from helpers.claims import registry
from helpers.experiments import store

__all__ = ["list", "load"]


def list() -> pd.DataFrame:  # reads as experiments.list()
    """Return what is registered and what the store holds: id, lesson, n, minutes that it took, state.

    Returns
    -------
    pandas.DataFrame
        One row an experiment; the state does not look at code and versions.
    """
    known, kept = registry.load(), store.index()
    rows = [
        {
            "id": id,
            "lesson": one.lesson,
            "n": one.n,
            "minutes": kept[id].seconds / 60 if id in kept else float("nan"),
            "state": store.state(id, known.registration(id), None),
        }
        for id, one in known.experiments.items()
    ]
    return pd.DataFrame(rows, columns=["id", "lesson", "n", "minutes", "state"])


def load(id: str, seed: int = 0, scale: float = 1.0) -> pd.DataFrame:
    """Return the stored replicates of an experiment: one row a replicate, a column each quantity.

    Parameters
    ----------
    id : str
        For example ``"noisy_line/rivals"``.
    seed, scale : int, float
        Master seed, and share of the registered replicates, as for `make experiments`: of a pilot for example.

    Returns
    -------
    pandas.DataFrame
        Of the arrays with one number a replicate; curves are left out (``store.read`` has them).

    Raises
    ------
    ValueError
        For an id that is not registered, or that the store lacks.
    """
    known = registry.load()
    if id not in known.experiments:
        raise ValueError(
            f"No experiment {id!r} is registered. There are: {', '.join(known.experiments)}."
        )
    place = store.Place("full", seed, scale, own=known.experiments[id].lesson == registry.MINE)
    arrays = store.read(id, known.registration(id), place)
    if arrays is None:
        raise ValueError(
            f"The store {place.folder} holds nothing for {id} under its present registration. Train it with "
            f"`make experiments ONLY={id}`, and the same SEED and SCALE."
        )
    n = store.index(place)[id].n
    columns = {
        name: value
        for name, value in arrays.items()
        if name != store.CONSTANTS and value.shape == (n,)
    }
    return pd.DataFrame(columns)
