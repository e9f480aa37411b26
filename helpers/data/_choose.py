"""Choosing classes and examples: what the loaders of real data share."""

from __future__ import annotations

import numpy as np

from helpers._base import checks, seeds
from helpers.data._dataset import Dataset

FOUR = ("x_train", "y_train", "x_test", "y_test")


def chosen_classes(classes):
    """Return ``classes`` as a tuple of two or more different digits, or None."""
    if classes is None:
        return None
    found = checks.array("classes", classes, shape=(None,), dtype=np.int64, low=0, high=9).tolist()
    if len(found) < 2 or len(set(found)) < len(found):
        raise ValueError(
            checks.message("classes", "two or more different labels from 0 to 9", classes)
        )
    return tuple(found)


def select(x, y, classes):
    """Return the examples of ``classes``, relabelled 0, 1, ... in that order, or all of them for None."""
    if classes is None:
        return x, y
    keep = np.isin(y, classes)
    new = np.zeros(10, np.int32)
    new[list(classes)] = np.arange(len(classes))
    return x[keep], new[y[keep]]


def kind(classes):
    """Return the task and number of classes as keyword arguments: two chosen classes are a binary task."""
    number = 10 if classes is None else len(classes)
    return {"task": "binary" if number == 2 else "classification", "num_classes": number}


def balanced_order(y, generator):
    """Return a random order of which every prefix holds the classes in proportion, within two examples each."""
    order, key = generator.permutation(len(y)), np.empty(len(y))
    for label in np.unique(y):
        mine = order[y[order] == label]
        key[mine] = (np.arange(len(mine)) + generator.random()) / len(mine)
    return np.argsort(key)


def count(name, value, available):
    """Return ``value`` as a count of at least 1 and at most what is there."""
    return checks.integer(
        name, value, 1, available, f"There are {available:,} examples to draw from."
    )


def resplit(name, x, y, n_train, n_test, classes, seed):
    """Return a random split of one set of examples, the classes in proportion in both parts."""
    classes = chosen_classes(classes)
    x, y = select(x, y, classes)
    n_train = round(0.8 * len(y)) if n_train is None else count("n_train", n_train, len(y) - 1)
    n_test = len(y) - n_train if n_test is None else count("n_test", n_test, len(y) - n_train)
    order = balanced_order(y, seeds.generator(seed, "data", name))
    train, test = order[:n_train], order[n_train : n_train + n_test]
    arrays = dict(zip(FOUR, (x[train], y[train], x[test], y[test]), strict=True))
    return Dataset(**arrays, name=name, **kind(classes))
