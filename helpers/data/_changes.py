"""A data set made from another: split, with noisy labels, with contradicting points."""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers._base import checks, seeds
from helpers.data._dataset import Dataset


def _unstacked(dataset, action):
    """Refuse what is no `Dataset`, and stacks."""
    if not isinstance(dataset, Dataset):
        raise TypeError(checks.message("dataset", "a Dataset", dataset))
    if dataset.stacked:
        raise ValueError(
            checks.message("dataset", "a single Dataset", dataset, f"{action} before stacking.")
        )


def split(dataset: Dataset, val: float | int = 0.2, seed: int = 0) -> Dataset:
    """Set a random part of the training examples aside for validation.

    Parameters
    ----------
    dataset : Dataset
        Not stacked, without a validation part.
    val : float or int
        The share, above 0 and below 1, of the training examples, rounded to whole ones; or how many.
    seed : int
        The split: the same seed and number of examples give the same one.

    Returns
    -------
    Dataset
        The same test part; both others in random order.
    """
    _unstacked(dataset, "Split")
    if dataset.y_val is not None:
        raise ValueError(checks.message("dataset", "a Dataset without a validation part", dataset))
    n, name = dataset.n_train, "val"
    if isinstance(val, (float, np.floating)):
        val = round(checks.real(name, val, 0, 1, low_open=True, high_open=True) * n)
        name = "round(val * n_train)"
    count = checks.integer(name, val, 1, n - 1, "Both parts need an example.")
    order = seeds.generator(seed, "data", "split").permutation(n)
    aside, rest = order[:count], order[count:]
    x, y = dataset.x_train, dataset.y_train
    return dataclasses.replace(
        dataset, x_train=x[rest], y_train=y[rest], x_val=x[aside], y_val=y[aside]
    )


def with_label_noise(
    dataset: Dataset, share: float, seed: int = 0, *, other: bool = False
) -> tuple[Dataset, float]:
    """Replace a share of the training labels by random ones.

    Parameters
    ----------
    dataset : Dataset
        Binary or classification, not stacked.
    share : float
        Of the training labels, from 0 to 1: ``round(share * n_train)`` are picked.
    seed : int
        The draw. Under one seed the labels picked at a smaller share are among those of a larger one, with the
        same new values.
    other : bool
        False draws from all classes, so that about ``share * (C - 1) / C`` really change; True from the others,
        so that every picked label changes (for two classes: a flip).

    Returns
    -------
    dataset : Dataset
        With the new labels; everything else is the same.
    changed : float
        The share of all training labels that really differs from before.
    """
    _unstacked(dataset, "Add noise")
    if dataset.task == "regression":
        raise ValueError(
            checks.message("dataset", "a Dataset of labels", dataset, "A regression has none.")
        )
    n, old, classes = dataset.n_train, dataset.y_train, dataset.num_classes
    count = round(checks.real("share", share, 0, 1) * n)
    generator = seeds.generator(seed, "data", "with_label_noise")
    picked = generator.permutation(n)[:count]
    # Drawn for all n, so that the values of the picked do not depend on how many are picked.
    if checks.flag("other", other):
        drawn = (old + generator.integers(1, classes, n)) % classes
    else:
        drawn = generator.integers(0, classes, n)
    new = np.array(old)
    new[picked] = drawn[picked]
    return dataclasses.replace(dataset, y_train=new), float(np.mean(new != old))


def attacked(dataset: Dataset, share: float, *, flipped: bool = True) -> Dataset:
    """Add attack points: a network that fits them and the training points as well generalizes badly.

    Parameters
    ----------
    dataset : Dataset
        Two classes, not stacked, with a validation part: the pool from which the attack points come.
    share : float
        Of attack points among all points of the result, from 0 up to below 1.
    flipped : bool
        True gives attack points the other label. False leaves theirs as it is: the control, which has as many points in
        the same places.

    Returns
    -------
    Dataset
        Training part: the training points, then ``round(share / (1 - share) * n_train)`` points of the pool, in stored
        order. Validation part: the training points ALONE, so that ``val_loss`` is the loss on what was asked for and
        ``loss`` the attacked objective. Test part as before.

    Raises
    ------
    ValueError
        For a pool that is too small, or more than two classes.

    Notes
    -----
    Every point has the same weight in the mean loss, so ``share`` is the weight of the attack [huang2019]_.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(checks.message("dataset", "a Dataset", dataset))
    if dataset.stacked or dataset.y_val is None or dataset.num_classes != 2:
        expected = (
            "a single Dataset of two classes with a validation part, the pool of attack points"
        )
        raise ValueError(
            checks.message("dataset", expected, dataset, "Use data.split first, stack afterwards.")
        )
    share = checks.real("share", share, 0, 1, high_open=True)
    count = round(share / (1 - share) * dataset.n_train)
    if count > len(dataset.y_val):
        text = f"Argument `share`={share:g} needs {count} attack points. Received: a pool of {len(dataset.y_val)}."
        raise ValueError(text + " Split off more points for validation.")
    labels = dataset.y_val[:count]
    return dataclasses.replace(
        dataset,
        x_train=np.concatenate([dataset.x_train, dataset.x_val[:count]]),
        y_train=np.concatenate(
            [dataset.y_train, 1 - labels if checks.flag("flipped", flipped) else labels]
        ),
        x_val=dataset.x_train,
        y_val=dataset.y_train,
    )
