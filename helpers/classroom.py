"""The class pool: each student trains one replicate of a registered experiment, and the class sees all of them.

A student writes ``session.hand_in("ours/large-rate-is-better", MY_SEED)`` and sends the small file that it writes. The
lecturer runs ``make class FILES="handed_in/*.json"``: a histogram of the class beside the stored replicates, and how
many would have written the wrong sentence. The published random numbers stay out: they belong to master seed 0.
"""

from __future__ import annotations

import argparse
import glob
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers import plots
from helpers._base import checks, files, handed_in, paths
from helpers.claims import judging, ledger, registry, replicates, verdict
from helpers.claims.entries import Claim, Setting
from helpers.claims.registry import Registry
from helpers.experiments import run, store
from helpers.experiments.store import Place

FORMAT = 1
FIELDS = {"course", "format", "claim", "registration", "seed", "value", "versions", "digest"}


@dataclass(frozen=True)
class Pool:
    """What a class handed in about one claim.

    Attributes
    ----------
    claim : str
        The claim's id.
    values : numpy.ndarray (students,)
        One replicate of each student.
    stored : numpy.ndarray (R,)
        The project's own replicates.
    agree : numpy.ndarray (students,) of bool
        Whose replicate alone lies where the sentence is true.
    stored_agree : numpy.ndarray (R,) of bool
        The same of the stored ones.
    word : str
        The published verdict.
    not_counted : int
        Students whose replicate the experiment's selection leaves out, such as networks that did not fit.
    left_out : tuple of (str, str)
        Files that are not in the pool, each with the reason.
    """

    claim: str
    values: np.ndarray
    stored: np.ndarray
    agree: np.ndarray
    stored_agree: np.ndarray
    word: str
    not_counted: int
    left_out: tuple[tuple[str, str], ...]

    @property
    def wrong(self) -> int | None:
        """How many students would have written the wrong sentence; None where the verdict is neither yes nor no."""
        if self.word == verdict.SUPPORTED:
            return int(np.sum(~self.agree))
        return int(np.sum(self.agree)) if self.word == verdict.CONTRADICTED else None


def replicate(claim: Claim, known: Registry, seed: int) -> float | None:
    """Train one replicate of a claim's experiment under a master seed of one's own; None if its selection drops it."""
    quantity = question(claim)
    experiment = known.experiments[quantity.experiment]
    arrays = run.compute(experiment, known, Place("full", seed), 1)
    found = replicates.effects(claim, quantity, arrays)
    return float(found[0]) if len(found) else None


def question(claim: Claim) -> Setting:
    """Return the quantity that a replicate answers: the first part in the first main setting.

    Raises
    ------
    ValueError
        For a claim whose data are not here, or that no single replicate answers.
    """
    quantity = claim.quantities(claim.main[0])[0]
    if not quantity.experiment or claim.kind != "estimate":
        text = "an estimate whose data are here: a single replicate answers it"
        raise ValueError(checks.message("id", text, claim.id))
    return quantity


def hand_in(
    id: str, seed: int, folder: str | Path = "class", known: Registry | None = None
) -> tuple[Path, float | None, bool]:
    """Train one replicate under one's own seed and write it to a file for the lecturer.

    Parameters
    ----------
    id : str
        A claim, for example ``"ours/large-rate-is-better"``.
    seed : int
        The student's own, 1 or larger: 0 is the project's.
    folder : path
        Where the file goes.
    known : Registry, optional
        The project's own by default.

    Returns
    -------
    path : pathlib.Path
    value : float or None
        What the replicate measured; None where the experiment's selection leaves it out.
    agrees : bool
        Whether this replicate alone lies where the sentence is true.

    Raises
    ------
    ValueError
        For an unknown claim, seed 0, or a claim that no single replicate answers.
    """
    known = known or registry.load()
    checks.integer("seed", seed, low=1, remedy="Choose a number of your own; 0 is the project's.")
    claim = _claim(id, known)
    quantity = question(claim)
    files.require_writable(folder, "Name another folder.")
    value = replicate(claim, known, seed)
    content = {
        "format": FORMAT,
        "claim": id,
        "registration": known.registration(quantity.experiment),
        "seed": seed,
        "value": value,
        "versions": store.versions(),
    }
    path = Path(folder) / f"{id.replace('/', '_')}-{seed}.json"
    handed_in.write(path, content)
    return path, value, value is not None and agrees(claim, value)


def agrees(claim: Claim, value: float) -> bool:
    """Return whether a single value lies where the sentence is true."""
    return judging.one_run(claim, question(claim), np.array([value])) == 1


def collect(
    given: Iterable[str | Path], known: Registry | None = None
) -> tuple[list[Pool], tuple[tuple[str, str], ...]]:
    """Read what was handed in, claim by claim.

    Parameters
    ----------
    given : iterable of path
        Files, in any order.
    known : Registry, optional
        The project's own by default.

    Returns
    -------
    pools : list of Pool
        One for each claim of which a file can be read.
    left_out : tuple of (str, str)
        Files that belong to no pool, each with the reason: damaged, foreign.

    Raises
    ------
    ValueError
        Where no file is given.
    """
    paths_ = sorted({Path(path) for path in given}, key=str)
    if not paths_:
        raise ValueError("No file was handed in. Name some: make class FILES='class/*.json'.")
    known = known or registry.load()
    read: dict[str, list] = {}
    left_out: list[tuple[str, str]] = []
    for path in paths_:
        content, reason = _read(path, known)
        if content is None:
            left_out.append((str(path), reason))
        else:
            read.setdefault(content["claim"], []).append((path, content))
    return [_pool(id, found, known) for id, found in read.items()], tuple(left_out)


def _claim(id, known):
    """Return a registered claim."""
    if id not in known.claims:
        raise ValueError(checks.message("id", "the id of a registered claim", id))
    return known.claims[id]


def _read(path, known):
    """Return a file's content and "", or None and the reason why it stays out."""
    content, reason = handed_in.read(path)
    if reason:
        return None, reason
    if content.keys() != FIELDS or content["format"] != FORMAT:
        return None, "foreign: written by another version of hand_in"
    if reason := handed_in.changed(content):
        return None, reason
    try:
        quantity = question(_claim(content["claim"], known))
    except (TypeError, ValueError):
        return None, f"foreign: {content['claim']!r} is no claim here that single replicates answer"
    if content["registration"] != known.registration(quantity.experiment):
        return None, "foreign: the experiment is registered otherwise here"
    return content, ""


def _pool(id, found, known):
    """Return the pool of one claim, every seed once."""
    claim, seen, values, left_out, not_counted = known.claims[id], {}, [], [], 0
    quantity = question(claim)
    for path, content in found:
        if content["seed"] in seen:
            same = f"doubled: seed {content['seed']} is in {seen[content['seed']]}"
            left_out.append((str(path), same))
            continue
        seen[content["seed"]] = path.name
        if content["value"] is None:
            not_counted += 1
        else:
            values.append(content["value"])
    arrays, _ = run.obtain(quantity.experiment, known)
    stored = replicates.effects(claim, quantity, arrays)
    inside = [np.array([agrees(claim, v) for v in some], bool) for some in (values, stored)]
    records = ledger.load()
    word = records[id].word if id in records else verdict.OPEN  # a claim of one's own
    return Pool(id, np.array(values), stored, *inside, word, not_counted, tuple(left_out))


def figure(pool: Pool, known: Registry | None = None) -> Figure:
    """Draw the class above the stored replicates, on one axis; blue where a replicate alone agrees."""
    known = known or registry.load()
    quantity = question(known.claims[pool.claim])
    together = np.concatenate([pool.values, pool.stored])
    low, high = np.quantile(together, [0.005, 0.995])
    low, high = min([low, *pool.values]), max([high, *pool.values])
    bins = np.linspace(low, high if high > low else low + 1, 31)
    fig, axes = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True, height_ratios=(1, 1.2))
    rows = (
        (f"{len(pool.values)} students", pool.values, pool.agree),
        (f"{len(pool.stored):,} stored", pool.stored, pool.stored_agree),
    )
    for ax, (name, values, agree) in zip(axes, rows, strict=True):
        kept = np.clip(values, low, high)
        ax.hist(kept[agree], bins, color=plots.BLUE, label="agree")
        ax.hist(kept[~agree], bins, color=plots.ORANGE, hatch="//", label="do not")
        for edge in (quantity.region.at_least, quantity.region.at_most):
            if edge is not None:
                ax.axvline(edge, color=plots.BLACK, linestyle=":")
        ax.set(ylabel=name)
    axes[0].legend(loc="best")
    share = f"{int(pool.agree.sum())} of {len(pool.agree)}"
    axes[0].set_title(f"{share} students have a replicate that agrees with the sentence")
    axes[1].set_xlabel("what one replicate measures (dotted: where the sentence becomes true)")
    return fig


def told(pool: Pool) -> str:
    """Return what the lecturer reads out: the class, the store, and who would have written the wrong sentence."""
    share = 100 * np.mean(pool.stored_agree)
    lines = [
        f"{pool.claim}: {len(pool.values)} students. The replicate of {int(pool.agree.sum())} agrees with the "
        f"sentence; of the {len(pool.stored)} stored ones {share:.0f} % do. Verdict: {pool.word}."
    ]
    if pool.wrong is not None:
        wrong = f"{pool.wrong} of {len(pool.values)}"
        lines.append(f"    After one run {wrong} would have written the wrong sentence.")
    if pool.not_counted:
        lines.append(f"    {pool.not_counted} more do not count: the experiment left them out.")
    return "\n".join([*lines, *(f"    left out: {path}: {why}" for path, why in pool.left_out)])


def main(arguments: list[str] | None = None) -> int:
    """Read the files, write a picture for each claim, say what they show; return the exit status."""
    parser = argparse.ArgumentParser("python -m helpers.classroom", description=main.__doc__)
    parser.add_argument("files", nargs="+", help="what students handed in; * is allowed")
    parser.add_argument("--out", default="", help="folder of the pictures (default: build/class)")
    options = parser.parse_args(arguments)
    given = [path for pattern in options.files for path in (glob.glob(pattern) or [pattern])]
    pools, left_out = collect(given)
    out = Path(options.out) if options.out else paths.build() / "class"
    plots.style()
    for pool in pools:
        print(told(pool))
        if len(pool.values):
            path = out / f"{pool.claim.replace('/', '_')}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            fig = figure(pool)
            fig.savefig(path, dpi=150)
            plt.close(fig)
            print(f"    {path}")
    for path, why in left_out:
        print(f"left out: {path}: {why}")
    return 0 if pools else 1


if __name__ == "__main__":
    sys.exit(main())
