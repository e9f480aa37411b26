"""Loaders of recorded data; everything but MNIST, Fashion-MNIST and SVHN ships with the project."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from os import PathLike

import numpy as np
from sklearn.datasets import load_digits

from helpers._base import seeds
from helpers.data import _choose, _files
from helpers.data._dataset import Dataset, read_only


@lru_cache(maxsize=8)
def _mnist1d(file, classes):
    """Return x_train, y_train, x_test, y_test of a shipped file, converted once and shared by all replicates."""
    arrays = _files.shipped(file)
    parts = [
        _choose.select(arrays[f"x_{part}"], arrays[f"y_{part}"], classes)
        for part in ("train", "test")
    ]
    return tuple(read_only(a) for x, y in parts for a in (x.astype(np.float32), y.astype(np.int32)))


def mnist1d(
    n_train: int | None = None,
    n_val: int | None = None,
    n_test: int | None = None,
    seed: int | None = None,
    *,
    classes: Sequence[int] | None = None,
) -> Dataset:
    """Return MNIST-1D: the canonical set, or a fresh draw from a pool of 40,000 training and 10,000 test signals.

    Parameters
    ----------
    n_train : int, optional
        Training examples to draw; 4,000 where another argument asks for a draw.
    n_val : int, optional
        Validation examples to draw from the same 40,000, none of them in the training set; none by default.
    n_test : int, optional
        Test examples to draw from the 10,000; all of them by default, one array that all replicates share.
    seed : int, optional
        The draw, without replacement; 0 where another argument asks for a draw. Two seeds share examples by
        chance: about ``n_train**2 / 40_000`` of them, 6 of 500.
    classes : sequence of int, optional
        Keep these digits, relabelled 0, 1, ...; two make a binary task.

    Returns
    -------
    Dataset
        x (N, 40) and 10 classes. Without the first four arguments the canonical 4,000 / 1,000 examples of the
        package's defaults; ``mnist1d(seed=i)`` is a fresh draw of that size.

    Notes
    -----
    [greydanus2024]_. Each of the two files is standardised by its own mean and spread, test examples
    included, as the package does it.
    """
    classes = _choose.chosen_classes(classes)
    if n_train is None and n_val is None and n_test is None and seed is None:
        parts = _mnist1d("mnist1d.npz", classes)
        return Dataset(
            **dict(zip(_choose.FOUR, parts, strict=True)), name="mnist1d", **_choose.kind(classes)
        )
    x_pool, y_pool, x_test, y_test = _mnist1d("mnist1d_pool.npz", classes)
    n_train = _choose.count("n_train", 4000 if n_train is None else n_train, len(y_pool))
    n_val = 0 if n_val is None else _choose.count("n_val", n_val, len(y_pool) - n_train)
    generator = seeds.generator(0 if seed is None else seed, "data", "mnist1d", "train")
    drawn = generator.permutation(len(y_pool))[: n_train + n_val]
    train, val = drawn[:n_train], drawn[n_train:]
    arrays = {
        "x_train": x_pool[train],
        "y_train": y_pool[train],
        "x_test": x_test,
        "y_test": y_test,
    }
    if n_val:
        arrays.update(x_val=x_pool[val], y_val=y_pool[val])
    if n_test is not None:
        generator = seeds.generator(0 if seed is None else seed, "data", "mnist1d", "test")
        test = generator.permutation(len(y_test))[: _choose.count("n_test", n_test, len(y_test))]
        arrays.update(x_test=x_test[test], y_test=y_test[test])
    return Dataset(**arrays, name="mnist1d", **_choose.kind(classes))


@lru_cache(maxsize=1)
def _digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def digits(
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    classes: Sequence[int] | None = None,
) -> Dataset:
    """Return scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, split at random.

    Parameters
    ----------
    n_train : int, optional
        Training examples; four fifths by default.
    n_test : int, optional
        Test examples, by default all the others.
    seed : int
        The split; each part holds the classes in proportion, within two examples.
    classes : sequence of int, optional
        Keep these digits, relabelled 0, 1, ...; two make a binary task.

    Returns
    -------
    Dataset
        x (N, 64) in [0, 1], 10 classes.

    Notes
    -----
    The test part of UCI's "Optical Recognition of Handwritten Digits"; writers are not recorded, so both parts of
    the split hold digits of the same thirteen people.
    """
    return _choose.resplit("digits", *_digits(), n_train, n_test, classes, seed)


@lru_cache(maxsize=1)
def _mnist_small():
    arrays = _files.shipped("mnist_small.npz")
    return arrays["x"] / np.float32(255), arrays["y"]


def mnist_small(
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    classes: Sequence[int] | None = None,
) -> Dataset:
    """Return 5,000 MNIST digits, 500 of each class, split at random.

    Parameters
    ----------
    n_train, n_test, seed, classes
        As in `digits`.

    Returns
    -------
    Dataset
        x (N, 28, 28) in [0, 1], 10 classes.
    """
    return _choose.resplit("mnist_small", *_mnist_small(), n_train, n_test, classes, seed)


def _benchmark(name, sources, n_train, n_test, seed, classes, folder, download, checksum):
    """Return a data set with a given division into training and test examples, or random parts of both."""
    classes = _choose.chosen_classes(classes)
    arrays = _files.load(sources, folder, download, checksum)
    result = {}
    for part, x, y, n in (("train", *arrays[:2], n_train), ("test", *arrays[2:], n_test)):
        x, y = _choose.select(x, y, classes)
        if n is not None:
            n = _choose.count(f"n_{part}", n, len(y))
            chosen = _choose.balanced_order(y, seeds.generator(seed, "data", name, part))[:n]
            x, y = x[chosen], y[chosen]
        x = x / np.float32(255)
        x.setflags(write=False)  # so that `Dataset` keeps it: a copy of full MNIST takes 188 MB
        result.update({f"x_{part}": x, f"y_{part}": y})
    return Dataset(**result, name=name, **_choose.kind(classes))


def mnist(
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    classes: Sequence[int] | None = None,
    folder: str | PathLike[str] | None = None,
    download: bool = False,
    checksum: bool = True,
) -> Dataset:
    """Return MNIST from Keras's ``mnist.npz``: 60,000 training and 10,000 test digits.

    Parameters
    ----------
    n_train, n_test : int, optional
        Draw so many of each part, the classes in proportion; all, in stored order, by default.
    seed : int
        The draw; it has no effect where everything is used.
    classes : sequence of int, optional
        Keep these labels, renamed 0, 1, ...; two make a binary task.
    folder : path, optional
        Where the files lie; Keras's cache by default (``~/.keras/datasets``, or below ``KERAS_HOME``).
    download : bool
        Fetch absent files into that folder; nothing is ever fetched unasked.
    checksum : bool
        Accept only the published files; False accepts any of the format, of any length.

    Returns
    -------
    Dataset
        x (N, 28, 28) in [0, 1], 10 classes.

    Raises
    ------
    FileNotFoundError
        If a file is absent; the message names file, address and folder.
    ValueError
        If a file is not the published one or not of the format.
    """
    return _benchmark(
        "mnist", _files.MNIST, n_train, n_test, seed, classes, folder, download, checksum
    )


def fashion_mnist(
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    classes: Sequence[int] | None = None,
    folder: str | PathLike[str] | None = None,
    download: bool = False,
    checksum: bool = True,
) -> Dataset:
    """Return Fashion-MNIST from its four gzipped idx files: 60,000 training and 10,000 test images of clothes.

    Parameters
    ----------
    n_train, n_test, seed, classes, folder, download, checksum
        As in `mnist`; the files lie in ``fashion-mnist`` below Keras's cache. Keras publishes no hash for them:
        ``checksum=True`` checks the number of images instead, and gzip its own sum.

    Returns
    -------
    Dataset
        x (N, 28, 28) in [0, 1], 10 classes.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `mnist`.
    """
    sources = _files.FASHION_MNIST
    return _benchmark(
        "fashion_mnist", sources, n_train, n_test, seed, classes, folder, download, checksum
    )


def svhn(
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    *,
    classes: Sequence[int] | None = None,
    folder: str | PathLike[str] | None = None,
    download: bool = False,
    checksum: bool = True,
) -> Dataset:
    """Return the cropped house numbers SVHN: 73,257 training and 26,032 test images in colour.

    Parameters
    ----------
    n_train, n_test, seed, classes, folder, download, checksum
        As in `mnist`; the files are ``train_32x32.mat`` and ``test_32x32.mat``, in ``svhn`` below Keras's cache.

    Returns
    -------
    Dataset
        x (N, 32, 32, 3) in [0, 1], 10 classes; the digit 0, labelled 10 in the files, is class 0.

    Raises
    ------
    FileNotFoundError, ValueError
        As in `mnist`.
    """
    return _benchmark(
        "svhn", _files.SVHN, n_train, n_test, seed, classes, folder, download, checksum
    )
