"""Networks beside nearest neighbours, k-means and Gaussian processes: do they err on the same examples?

A network is "a little like k-nearest neighbors", says an answer to the thread *Why can neural networks generalize at
all?* [generalization-thread], and a comment that otherwise "you could solve every problem by k-means". Two rules are
compared by Cohen's kappa of their errors [geirhos2020]: 1 if they err on the same examples, 0 if as often together as
two rules of their accuracies that know nothing of each other. Signals are MNIST-1D [greydanus2024], generated, so that
no two replicates share one; digits are drawn anew for each replicate from a pool of 5,000 MNIST images.

Accuracies and errors are in percent, kappas between -1 and 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.spatial.distance
import threadpoolctl
from sklearn.cluster import KMeans

from helpers import data, models
from helpers._base import checks, seeds
from helpers.engine import fit_many
from helpers.experiments import kernels

CLASSES = 10
BLOCK = 10  # replicates trained together
SHAPES = {"signals": (40,), "digits": (28, 28)}  # of an example, by task
KS = (1, 3, 5, 9, 15, 25)  # of nearest neighbours, chosen by validation
LOOKS = 8  # epochs among which early stopping chooses


def draw(seed, row, *, task, train, validation, test):
    """Return data set ``row`` and one of as many other training examples, with the same validation and test parts."""
    checks.one_of("task", task, tuple(SHAPES))
    chosen, count = seeds.integer(seed, task, row), 2 * train
    if task == "signals":
        both = data.mnist1d_fresh(n_train=count, n_val=validation, n_test=test, seed=chosen)
    else:
        both = data.mnist_small(n_train=count + validation, n_test=test, seed=chosen)
        both = data.split(both, val=validation, seed=chosen)
    halves = [slice(0, train), slice(train, count)]
    return [
        dataclasses.replace(both, x_train=both.x_train[half], y_train=both.y_train[half])
        for half in halves
    ]


def mlp(task, hidden):
    """Return a network with ReLU layers of the given widths and ten logits."""
    return models.mlp(SHAPES[task], CLASSES, hidden=tuple(hidden))


def cnn(task, filters):
    """Return a network of three (signals) or two (digits) convolutions of stride 2 and ten logits."""
    build = models.cnn1d if task == "signals" else models.cnn2d
    return build(SHAPES[task], CLASSES, filters=tuple(filters), hidden=())


def train(seed, sets, model, *, epochs, rate, batch, looks=()):
    """Train network i on data set i, on its training examples alone."""
    nothing = {"x_val": None, "y_val": None, "x_test": None, "y_test": None}
    own = data.Dataset.stack([dataclasses.replace(one, **nothing) for one in sets])
    return fit_many(
        model, own, members=len(sets), epochs=epochs, batch_size=batch, learning_rate=rate, snapshots=looks,
        record_every=epochs, seed=seeds.integer(seed, "fit"), progress=False,
    )  # fmt: skip


def answers(runs, x, epoch=None):
    """Return the class that every network gives to x (M, N, ...), (M, N) int8; a diverged one says 0."""
    found = runs.predict(x, epoch=epoch).argmax(axis=-1).astype(np.int8)
    return np.where(runs.diverged[:, None], np.int8(0), found)


def part(sets, name):
    """Return one part of all data sets, (M, ...)."""
    return np.stack([getattr(one, name) for one in sets])


def flat(x):
    """Return examples as rows of numbers, float64."""
    return np.reshape(x, (len(x), -1)).astype(float)


# ------------------------------------------------------------------------------- rules without a network


def votes(labels, nearest, k):
    """Return the most frequent label among the first k of ``nearest`` (M, K) places; a tie goes to the nearer one."""
    seen = labels[nearest[:, :k]]
    counts = (seen[:, :, None] == seen[:, None, :]).sum(axis=2)  # (M, k): of each one's label
    return seen[np.arange(len(seen)), counts.argmax(axis=1)]


def nearest(x, new, k):
    """Return the places of the k nearest rows of x (N, D) for each new row (M, D), nearest first, (M, k)."""
    apart = scipy.spatial.distance.cdist(new, x, "sqeuclidean")
    some = np.argpartition(apart, k - 1, axis=1)[:, :k]
    order = np.take_along_axis(apart, some, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def centroids(x, labels):
    """Return the mean of each class that is there (C, D), and its name."""
    names = np.unique(labels)
    return np.stack([x[labels == name].mean(axis=0) for name in names]), names


def clusters(x, labels, k, seed):
    """Return the centres that k-means finds without labels (k, D), and the most frequent label of each."""
    with threadpoolctl.threadpool_limits(limits=1):  # sums in one order, whatever the cores
        found = KMeans(k, n_init=1, random_state=seed % 2**32).fit(x)
    counts = np.zeros((k, CLASSES), int)
    np.add.at(counts, (found.labels_, labels), 1)
    return found.cluster_centers_, counts.argmax(axis=1)


def copied(centres, names, new):
    """Return the name of the nearest centre."""
    return names[scipy.spatial.distance.cdist(new, centres, "sqeuclidean").argmin(axis=1)]


def by_clusters(x, labels, aside, aside_labels, new, counts, seed):
    """Return what k-means says of new rows; the number of clusters is chosen by validation."""
    found = [clusters(x, labels, min(k, len(x)), seed) for k in counts]
    best = int(np.argmax([np.mean(copied(*one, aside) == aside_labels) for one in found]))
    return copied(*found[best], new)


# ------------------------------------------------------------------------------- agreement


def kappa(first, second, groups=None):
    """Return how far two rules are right and wrong on the same examples, beyond chance: Cohen's kappa.

    Parameters
    ----------
    first, second : ndarray (N,) of bool
        Which examples each rule gets right.
    groups : ndarray (N,), optional
        Chance is then that of two rules of their accuracies in each group.
    """
    groups = np.zeros(len(first), int) if groups is None else groups
    same, chance = np.mean(first == second), 0.0
    for name in np.unique(groups):
        here = groups == name
        p, q = first[here].mean(), second[here].mean()
        chance += here.mean() * (p * q + (1 - p) * (1 - q))
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def same_wrong(said, other, labels):
    """Return, where ``other`` errs, how often ``said`` is that same wrong label, and how often by the class alone.

    By the class alone: if ``said`` were that of another example of the same class, at random.
    """
    errs, by_class = other != labels, np.zeros((CLASSES, CLASSES))
    np.add.at(by_class, (labels, said), 1)
    by_class /= np.maximum(by_class.sum(axis=1, keepdims=True), 1)
    count = max(1, errs.sum())
    expected = by_class[labels[errs], other[errs]].sum() / count
    return 100 * np.sum(said[errs] == other[errs]) / count, 100 * expected


PAIRS = {  # whose errors are compared
    "mlp_one": ("mlp", "one"), "twin_one": ("twin", "one"), "mlp_few": ("mlp", "few"), "mlp_twin": ("mlp", "twin"),
    "mlp_stranger": ("mlp", "stranger"), "stranger_one": ("stranger", "one"), "mlp_nngp": ("mlp", "nngp"),
    "mlp_ntk": ("mlp", "ntk"), "mlp_cnn": ("mlp", "cnn"), "cnn_one": ("cnn", "one"), "nngp_one": ("nngp", "one"),
}  # fmt: skip


def measured(said, labels):
    """Return accuracies and agreements of one data set, from what each rule says, (N,) each, and the true labels."""
    right = {name: values == labels for name, values in said.items()}
    found = {f"accuracy_{name}": 100 * hits.mean() for name, hits in right.items()}
    for name, (first, second) in PAIRS.items():
        found[f"kappa_{name}"] = kappa(right[first], right[second])
    found["kappa_mlp_one_class"] = kappa(right["mlp"], right["one"], labels)
    found["room_one"] = 1 - found["kappa_mlp_one"]
    found["other_class"] = 100 - found["accuracy_one"]
    found["best_distance"] = max(
        found[f"accuracy_{name}"] for name in ("means", "centroids", "neighbours")
    )
    for name in ("mlp", "twin_too"):
        first, second = ("mlp", "one") if name == "mlp" else ("mlp", "twin")
        seen, expected = same_wrong(said[first], said[second], labels)
        found |= {f"same_wrong_{name}": seen, f"same_wrong_{name}_class": expected}
    return found


def compare(
    seed, n, *, task, sizes, hidden, filters, epochs, rate, batch, cnn_epochs, cnn_rate, counts, noise
):  # fmt: skip
    """Whose errors are a network's errors: those of neighbours, of a Gaussian process, of another network?

    Rules: ``mlp``, ``twin`` (the same with other initial weights and order of batches), ``stranger`` (the same on
    other training examples), ``stopped`` (the first, at the epoch that validation picks), ``cnn``; ``one`` and ``few``
    (nearest and five nearest training points), ``neighbours`` (how many: by validation), ``means`` (k-means, each
    cluster called by its most frequent label; how many of ``counts``: by validation), ``features`` (the same on the
    last hidden layer of ``mlp``), ``centroids``; ``nngp``, ``ntk``. Replicate: data set and initial weights.

    Returns
    -------
    dict
        (n,) each. ``accuracy_RULE``; ``kappa_RULE_RULE`` for the pairs in `PAIRS`; ``kappa_mlp_one_class``: beyond
        what two rules of the same accuracies in each class share; ``room_one``: 1 minus kappa_mlp_one.
        ``other_class``: test points whose nearest training point has another class; ``best_distance``: accuracy of
        the best of k-means, centroids and neighbours. ``same_wrong_mlp``: where the nearest neighbour's label is
        wrong, how often the network says it, ``same_wrong_mlp_class``: how often it would by the class alone; the
        same ``same_wrong_twin_too`` where the twin errs. ``fitted``: training accuracy of ``mlp``.
    """
    looks = sorted({max(1, round(epochs * share / LOOKS)) for share in range(1, LOOKS)})

    def work(seed, rows):
        pairs = [draw(seed, row, task=task, **sizes) for row in rows]
        sets, others = ([pair[at] for pair in pairs] for at in (0, 1))
        x, labels = part(sets, "x_test"), part(sets, "y_test")
        recipe = {"epochs": epochs, "rate": rate, "batch": batch}
        model = mlp(task, hidden)
        runs = train(seed, sets, model, looks=looks, **recipe)
        twin = train(seeds.integer(seed, "twin"), sets, model, **recipe)
        stranger = train(seeds.integer(seed, "stranger"), others, model, **recipe)
        folded = train(
            seed, sets, cnn(task, filters), epochs=cnn_epochs, rate=cnn_rate, batch=batch
        )
        every = {
            "mlp": runs, "twin": twin, "stranger": stranger, "cnn": folded,
        }  # fmt: skip
        said = {name: answers(one, x) for name, one in every.items()} | {
            "stopped": stopped(runs, sets, [*looks, epochs], x)
        }
        fitted = (answers(runs, part(sets, "x_train")) == part(sets, "y_train")).mean(axis=1)
        found = []
        for at, one in enumerate(sets):
            own = {name: values[at] for name, values in said.items()}
            own |= without_networks(one, counts, len(hidden), noise, seeds.integer(seed, "k", at))
            own["features"] = on_features(
                [w[at] for w in runs.weights], one, counts, seeds.integer(seed, "k", at)
            )
            found.append(measured(own, labels[at]) | {"fitted": 100 * fitted[at]})
        return {name: np.array([one[name] for one in found]) for name in found[0]}

    return blocks(work, seed, n)


def stopped(runs, sets, looks, x):
    """Return what each network says of x (M, N, ...) at the look with the best validation accuracy, (M, N)."""
    aside, labels = part(sets, "x_val"), part(sets, "y_val")
    right = [(answers(runs, aside, look) == labels).mean(axis=1) for look in looks]
    best = np.argmax(right, axis=0)
    every = np.stack([answers(runs, x, look) for look in looks])
    return every[best, np.arange(len(sets))]


@kernels.one_thread
def without_networks(one, counts, layers, noise, seed):
    """Return what each rule that has no network says of the test examples of a data set, (N,) each."""
    x, y, aside, new = flat(one.x_train), one.y_train, flat(one.x_val), flat(one.x_test)
    most = min(max(KS), len(x))
    near, beside = nearest(x, new, most), nearest(x, aside, most)
    ks = [k for k in KS if k <= most]
    best = ks[int(np.argmax([np.mean(votes(y, beside, k) == one.y_val) for k in ks]))]
    found = {
        "one": votes(y, near, 1), "few": votes(y, near, min(5, most)), "neighbours": votes(y, near, best),
        "centroids": copied(*centroids(x, y), new),
        "means": by_clusters(x, y, aside, one.y_val, new, counts, seed),
    }  # fmt: skip
    for kind in kernels.KINDS:
        found[kind] = kernels.answers(x, y, new, layers=layers, kind=kind, noise=noise)
    return found


@kernels.one_thread
def on_features(weights, one, counts, seed):
    """Return what k-means says on the last hidden layer of a network with weights [kernel, bias, ...]."""
    parts = [last_hidden(weights, flat(x)) for x in (one.x_train, one.x_val, one.x_test)]
    return by_clusters(parts[0], one.y_train, parts[1], one.y_val, parts[2], counts, seed)


def last_hidden(weights, x):
    """Return the last hidden layer of a ReLU network for rows x (N, D), (N, H)."""
    for at in range(0, len(weights) - 2, 2):
        x = np.maximum(x @ weights[at].astype(float) + weights[at + 1], 0)
    return x


def blocks(work, seed, n, size=BLOCK):
    """Return what ``work(seed, rows)`` returns for blocks of rows, joined; a row depends on its own block alone."""
    found = []
    for number, first in enumerate(range(0, n, size)):
        rows = range(first, min(first + size, n))
        found.append(work(seeds.integer(seed, "block", number), rows))
    joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    return {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in joined.items()}
