"""Small data sets as frozen `Dataset`s; everything but MNIST, Fashion-MNIST and SVHN loads without a network.

Where the files come from and under which licence stands in ``data/README.md``.
"""

from helpers.data._changes import attacked, split, with_label_noise
from helpers.data._dataset import Dataset
from helpers.data._real import digits, fashion_mnist, mnist, mnist1d, mnist_small, svhn
from helpers.data._signals import mnist1d_fresh
from helpers.data._toys import circles, line, spirals, xor

__all__ = [
    "Dataset",
    "attacked",
    "circles",
    "digits",
    "fashion_mnist",
    "line",
    "mnist",
    "mnist1d",
    "mnist1d_fresh",
    "mnist_small",
    "spirals",
    "split",
    "svhn",
    "with_label_noise",
    "xor",
]
