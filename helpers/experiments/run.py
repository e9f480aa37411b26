"""Running experiments: a registered one from the store or anew, all that are due, and the first rows again.

``python -m helpers.experiments`` is what `make experiments` calls.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from helpers._base import checks, machine
from helpers._tensorflow import keras_defaults
from helpers.claims import measure
from helpers.claims import registry as registries
from helpers.claims.registry import Experiment, Registry
from helpers.engine import cluster, general
from helpers.experiments import store
from helpers.experiments.store import COMMITTED, CONSTANTS, Entry, Place

FEWEST, SECONDS, DEAREST = 3, 10.0, 20.0  # of an experiment in a thin place; see rows_of
MOST_CURVES = 50  # replicates of an array that is kept for a picture
KINDS = "biuf"  # of the types that are kept


def function_of(experiment: Experiment) -> Callable:
    """Return the function of an experiment.

    Raises
    ------
    ValueError
        Where `helpers.experiments` has no such module or function.
    """
    world, _, name = experiment.function.rpartition(".")
    try:
        return getattr(importlib.import_module(f"helpers.experiments.{world}"), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"Experiment {experiment.id} names the function {experiment.function!r}, which helpers.experiments does "
            f"not have: {error}. Write it, or mend the name in claims/{experiment.lesson}.toml."
        ) from error


def module_of(experiment: Experiment) -> str:
    """Return the full name of the module that holds an experiment's function."""
    return f"helpers.experiments.{experiment.function.rpartition('.')[0]}"


def rows_of(experiment: Experiment, place: Place = COMMITTED) -> int:
    """Return how many replicates a place holds: the registered number times the scale, at least 2.

    A thin place holds as many of them as take `SECONDS`, but at least `FEWEST`; 0 where one takes more than `DEAREST`
    seconds. How long one takes is what the committed store says.
    """
    n = experiment.n_for(place.profile)
    scaled = n if place.scale == 1.0 else max(2, round(n * place.scale))
    if not place.thin:
        return scaled
    kept = store.index().get(experiment.id)
    each = kept.seconds / kept.n if kept else 0.0
    if each > DEAREST:
        return 0
    in_time = scaled if each == 0 else int(min(scaled, SECONDS / each))
    return min(n, max(FEWEST, in_time))


def home(experiment: Experiment, place: Place) -> Place:
    """Return where an experiment's replicates are kept: a reader's own never among those of the project."""
    return replace(place, own=experiment.lesson == registries.MINE)


def compute(
    experiment: Experiment, registry: Registry, place: Place = COMMITTED, n: int | None = None
) -> dict:
    """Train an experiment and return its arrays, checked; nothing is stored.

    Parameters
    ----------
    experiment : Experiment
        From the registry.
    registry : Registry
        The seed follows from all that is registered on the experiment.
    place : Place
        Profile, master seed and scale.
    n : int, optional
        So many first rows instead of all.

    Returns
    -------
    dict of numpy.ndarray
        As the function returned them.
    """
    n = rows_of(experiment, place) if n is None else n
    function = function_of(experiment)
    keras_defaults()  # whatever somebody's keras.json says
    seed = registry.seed(experiment.id, place.seed, place.profile)
    with general.without("Experiments train in the fast engine: code_key leaves the other out."):
        found = function(seed, n, **experiment.recipe_for(place.profile))
    return checked(experiment.id, found, n)


def checked(id: str, arrays: dict, n: int) -> dict:
    """Return what an experiment returned, if it is what the store keeps.

    Raises
    ------
    ValueError
        For an array whose first axis is not the replicate, NaN or infinite values, or a type that is not kept.
    """
    for name, value in store.flat(arrays).items():
        if value.dtype.kind not in KINDS:
            raise ValueError(
                f"Experiment {id}: `{name}` must hold numbers or bools. Received: {value.dtype}."
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError(
                f"Experiment {id}: `{name}` must be finite. Received: {np.sum(~np.isfinite(value))} values that are "
                "not. A diverged network counts as the trivial predictor."
            )
        if not name.startswith(f"{CONSTANTS}/") and (
            value.ndim == 0 or len(value) not in {n, min(n, MOST_CURVES)}
        ):
            raise ValueError(
                f"Experiment {id}: `{name}` must have {n} replicates first (or the first {MOST_CURVES}). "
                f"Received: shape {value.shape}. Constants belong under {CONSTANTS!r}."
            )
    return arrays


def all_named(experiment: Experiment, registry: Registry, arrays: Mapping) -> None:
    """Refuse arrays among which one is missing that a claim, gate or control names.

    Raises
    ------
    ValueError
        Names the entry and what there is. Nothing is stored then, and nobody has seen a number.
    """
    for name, entry in registry.arrays_named(experiment.id).items():
        try:
            measure.of(arrays, name)
        except ValueError as error:
            raise ValueError(
                f"Experiment {experiment.id}: {error} It is {entry}. Mend the name in claims/, or have the function "
                "return it."
            ) from error


def obtain(
    id: str, registry: Registry | None = None, place: Place = COMMITTED
) -> tuple[dict, Entry | None]:
    """Return an experiment's arrays, from the store where it holds them, and what the index says of them.

    Parameters
    ----------
    id : str
        A registered experiment.
    registry : Registry, optional
        The project's own by default.
    place : Place
        The quick profile has no store; where ``GENERALIZE_STORE=only`` forbids to train, it reads the full one's.

    Returns
    -------
    arrays : dict of numpy.ndarray
    entry : Entry or None
        None for arrays that were trained just now.

    Raises
    ------
    FileNotFoundError
        Where the store lacks them and ``GENERALIZE_STORE=only`` forbids to train.
    """
    registry = registries.load() if registry is None else registry
    experiment = find(id, registry)
    place = home(experiment, place)
    if place.profile == "quick" and store.only():
        place = home(experiment, replace(COMMITTED, seed=place.seed))
    if place.profile != "quick":
        arrays = store.read(id, registry.registration(id), place)
        if arrays is not None:
            return arrays, store.index(place)[id]
        if store.only():
            raise FileNotFoundError(
                f"The store {place.folder} holds nothing for {id} under its present registration. "
                f"Train it with `make experiments ONLY={id}`."
            )
    return compute(experiment, registry, place), None


def find(id: str, registry: Registry) -> Experiment:
    """Return a registered experiment by its id."""
    if id not in registry.experiments:
        known = ", ".join(sorted(registry.experiments)) or "none"
        raise ValueError(checks.message("id", f"a registered experiment: {known}", id))
    return registry.experiments[id]


def chosen(only: Iterable[str], registry: Registry) -> list[Experiment]:
    """Return the experiments whose lesson, world or id begins with one of ``only``; all where it is empty."""
    only = tuple(only)
    found = []
    for experiment in registry.experiments.values():
        if experiment.lesson == registries.MINE and not only:
            continue
        if not only or experiment.id.startswith(only) or experiment.lesson.startswith(only):
            found.append(experiment)
    if only and not found:
        known = ", ".join(sorted({e.lesson for e in registry.experiments.values()}))
        raise ValueError(
            checks.message("only", f"beginnings of lessons ({known}) or experiments", only)
        )
    return found


def status(
    registry: Registry, place: Place = COMMITTED, only: Iterable[str] = ()
) -> list[tuple[Experiment, str]]:
    """Return each experiment with its state in the store (see `store.state`)."""
    return [
        (
            one,
            store.state(
                one.id,
                registry.registration(one.id),
                store.code_key(module_of(one)),
                home(one, place),
            ),
        )
        for one in chosen(only, registry)
    ]


def held(experiment: Experiment, registry: Registry, place: Place = COMMITTED) -> bool:
    """Return whether the store holds an experiment under its present registration."""
    found = store.state(
        experiment.id, registry.registration(experiment.id), None, home(experiment, place)
    )
    return found in ("current", "unconfirmed")


def guess(experiment: Experiment, registry: Registry) -> float | None:
    """Return about how many seconds an experiment takes: as long, a replicate, as one of the same function took.

    None where no experiment of that function is stored.
    """
    kept = store.index()
    for other in registry.experiments.values():
        if other.function == experiment.function and other.id in kept:
            return kept[other.id].seconds / kept[other.id].n * experiment.n
    return None


@dataclass(frozen=True)
class Trained:
    """What became of one experiment of a run: its id, what was done, and whether its arrays changed."""

    id: str
    seconds: float
    changed: bool


def train_due(
    registry: Registry,
    place: Place = COMMITTED,
    only: Iterable[str] = (),
    fresh: bool = False,
    confirm: bool = False,
    say: Callable[[str], None] = print,
    stored: Callable[[str], object] | None = None,
    among: Collection[str] | None = None,
) -> list[Trained]:
    """Train what the store lacks, one experiment after the other; each is stored as soon as it is done.

    Parameters
    ----------
    registry : Registry
        What is registered.
    place : Place
        Where the arrays go.
    only : iterable of str
        Beginnings of lessons or ids.
    fresh, confirm : bool
        Train all of them, or also those that other code or versions made.
    say : callable
        Takes one line of progress.
    stored : callable, optional
        Called with the id of each experiment as soon as its arrays are stored, before the next one is trained: no draw
        goes unrecorded.
    among : collection of str, optional
        Ids; others are not due.

    Returns
    -------
    list of Trained
        Those that were trained. A run that is stopped goes on where it was: what is stored is not due.
    """
    wanted = {"missing", "foreign"} | ({"unconfirmed"} if confirm else set())
    due = [
        one
        for one, state in status(registry, place, only)
        if (fresh or state in wanted) and (among is None or one.id in among)
    ]
    kept = store.index(place) | store.index(replace(place, own=True))
    left = sum(kept[e.id].seconds for e in due if e.id in kept)
    done = []
    for number, experiment in enumerate(due, 1):
        guess = f", about {minutes(left)} left" if left else ""
        say(
            f"{number} of {len(due)}: {experiment.id}, {rows_of(experiment, place)} replicates{guess}"
        )
        code = store.code_key(module_of(experiment))  # now: files may change while it trains
        started = time.monotonic()
        arrays = compute(experiment, registry, place)
        all_named(experiment, registry, arrays)  # or the draw would be stored and not judged
        seconds = time.monotonic() - started
        changed = _keep(experiment, registry, place, arrays, seconds, code)
        done.append(Trained(experiment.id, seconds, changed))
        if stored:
            stored(experiment.id)
        say(f"    {minutes(seconds)}, arrays {'new' if done[-1].changed else 'as before'}")
        left -= kept[experiment.id].seconds if experiment.id in kept else 0
    return done


def _keep(experiment, registry, place, arrays, seconds, code):
    """Store one experiment; return whether its arrays changed."""
    entry = Entry(
        registration=registry.registration(experiment.id),
        code=code,
        arrays=store.digest(arrays),
        n=rows_of(experiment, place),
        seconds=round(seconds, 1),
        processor=_processors(),
        versions=store.versions(),
        cores=machine.cores(),
    )
    return store.put(experiment.id, arrays, entry, home(experiment, place))


def _processors():
    """Return the processor of this machine, with those of other models that a cluster has."""
    elsewhere = cluster.current()
    others = elsewhere.others if elsewhere else set()
    return " and ".join([machine.processor(), *sorted(others)])


def minutes(seconds: float) -> str:
    """Return a time as a reader says it: "41 s", "6 minutes"."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


@dataclass(frozen=True)
class Difference:
    """Rows that differ from the stored ones by more than they may: experiment, array, and how much."""

    id: str
    array: str
    text: str

    def __str__(self):
        return f"{self.id}, `{self.array}`: {self.text}"


def first_rows(
    experiment: Experiment, registry: Registry, stored: dict, entry: Entry, n: int | None = None
) -> list[Difference]:
    """Train the first rows again and compare them with the stored ones.

    Bits must be equal on the processor, the versions and the number of cores that made the store; elsewhere, where they
    are not, the mean over the rows may differ by ``max(s / 4, 4 s sqrt(2 / n))``, s the standard deviation of a row, as
    two processors agree statistically only.

    Returns
    -------
    list of Difference
        Empty where all is well.
    """
    n = experiment.n_check if n is None else n
    again = store.flat(compute(experiment, registry, n=n))
    here = (machine.processor(), store.versions(), entry.cores and machine.cores())
    exact = (entry.processor, entry.versions, entry.cores) == here
    found = []
    for name, kept in store.flat(stored).items():
        if name not in again:
            found.append(Difference(experiment.id, name, "no longer returned"))
        elif name.startswith(f"{CONSTANTS}/"):
            if not np.array_equal(kept, again[name]):
                found.append(Difference(experiment.id, name, "a constant that differs"))
        else:
            text = compared(kept, again[name], exact)
            found += [Difference(experiment.id, name, text)] if text else []
    return found + [
        Difference(experiment.id, name, "not stored")
        for name in again
        if name not in store.flat(stored)
    ]


def compared(kept: np.ndarray, again: np.ndarray, exact: bool) -> str:
    """Return how rows trained again differ from the stored first rows, or an empty text where they may."""
    count = min(len(kept), len(again))
    ours, theirs = again[:count], kept[:count]
    if exact:
        return (
            ""
            if np.array_equal(ours, theirs)
            else f"{np.sum(ours != theirs)} of {ours.size} numbers differ"
        )
    whole = kept.astype(float).reshape(len(kept), -1)
    spread = whole.std(axis=0, ddof=1) if len(kept) > 1 else np.zeros(whole.shape[1])
    allowed = np.maximum(spread / 4, 4 * spread * np.sqrt(2 / count))
    away = np.abs(ours.astype(float).reshape(count, -1).mean(axis=0) - whole[:count].mean(axis=0))
    worst = int(np.argmax(away - allowed))
    if np.all(away <= allowed + 1e-6 * np.abs(whole).max(axis=0)):
        return ""
    return f"means differ by {away[worst]:.3g}, at most {allowed[worst]:.3g} is allowed"
