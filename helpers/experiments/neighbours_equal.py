"""Do errors agree with those of a neighbour only because both rules are wrong so often? Agreement at equal accuracies.

Cohen's kappa of two rules' errors can be high only if they err about equally often. A network's twin is as good as the
network, a neighbour is worse; so the comparison of `neighbours` favours the twin. Here the rivals are made as bad as
the neighbours first: the twin is taken at the epoch, and the Gaussian process is given as many training signals, at
which its validation accuracy is nearest to theirs.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.experiments import kernels
from helpers.experiments.neighbours import (
    answers,
    blocks,
    draw,
    flat,
    kappa,
    mlp,
    nearest,
    part,
    train,
    votes,
)

FEW = 5  # neighbours that vote


def as_good_as(accuracy, others):
    """Return the place of the accuracy among others (K,) that is nearest to one; the first of several.

    Examples
    --------
    >>> int(as_good_as(58.0, np.array([40.0, 57.0, 60.0])))
    1
    """
    return np.argmin(np.abs(np.asarray(others) - accuracy))


@kernels.one_thread
def rules(one, counts, layers, noise):
    """Return what one and five neighbours say of validation and test signals, and the process for each count.

    Returns
    -------
    dict of (ndarray, ndarray)
        ``one, few`` and a number of signals: answers to validation and test signals.
    """
    x, y = flat(one.x_train), one.y_train
    both = [flat(one.x_val), flat(one.x_test)]
    near = [nearest(x, new, FEW) for new in both]
    found = {"one": [votes(y, at, 1) for at in near], "few": [votes(y, at, FEW) for at in near]}
    for count in counts:
        said = kernels.answers(
            x[:count], y[:count], np.concatenate(both), layers=layers, kind="nngp", noise=noise
        )
        found[count] = np.split(said, [len(both[0])])
    return found


def compare(seed, n, *, sizes, hidden, epochs, looks, rate, batch, counts, noise):
    """Does a network err more like its own kind, or a Gaussian process, than like neighbours of the same accuracy?

    Signals of MNIST-1D. Replicate: data set and initial weights.

    Returns
    -------
    dict
        (n,) each. ``kappa_one, kappa_few``: agreement of the network's errors with those of the nearest neighbour and
        of the five nearest; ``kappa_twin``: with those of another network at the one of ``looks`` at which its
        validation accuracy is nearest to that of the nearest neighbour; ``kappa_process``: with those of the Gaussian
        process that has the one of ``counts`` of signals at which it is nearest to that of the five; ``accuracy_one,
        accuracy_twin, accuracy_few, accuracy_process, accuracy_mlp``: on test signals, percent; ``kappa_full``: with
        the twin at its last epoch; ``look, signals``: the epoch and the count that were taken.
    """

    def work(seed, rows):
        sets = [draw(seed, row, task="signals", **sizes)[0] for row in rows]
        recipe = {"epochs": epochs, "rate": rate, "batch": batch}
        model, x, labels = mlp("signals", hidden), part(sets, "x_test"), part(sets, "y_test")
        runs = train(seed, sets, model, **recipe)
        twin = train(seeds.integer(seed, "twin"), sets, model, looks=looks, **recipe)
        aside, wanted = part(sets, "x_val"), part(sets, "y_val")
        right = answers(runs, x) == labels
        marks = [*looks, epochs]
        early = np.stack([answers(twin, aside, look) == wanted for look in marks])  # (L, M, V)
        later = np.stack([answers(twin, x, look) == labels for look in marks])
        found = []
        for at, one in enumerate(sets):
            said = rules(one, counts, len(hidden), noise)
            val = {name: 100 * np.mean(pair[0] == one.y_val) for name, pair in said.items()}
            hits = {name: pair[1] == one.y_test for name, pair in said.items()}
            look = as_good_as(val["one"], 100 * early[:, at].mean(axis=1))
            count = counts[as_good_as(val["few"], [val[count] for count in counts])]
            own = {
                "one": hits["one"],
                "few": hits["few"],
                "twin": later[look, at],
                "process": hits[count],
            }
            here = {f"kappa_{name}": kappa(right[at], hit) for name, hit in own.items()}
            here |= {f"accuracy_{name}": 100 * hit.mean() for name, hit in own.items()}
            here |= {
                "accuracy_mlp": 100 * right[at].mean(), "kappa_full": kappa(right[at], later[-1, at]),
                "signals": count, "look": marks[look],
            }  # fmt: skip
            found.append(here)
        return {name: np.array([one[name] for one in found], float) for name in found[0]}

    return blocks(work, seed, n)
