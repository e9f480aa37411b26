"""SVHN, the data of Huang et al. [huang2019]: are basins of bad minima 10,000 orders of magnitude smaller?

The two files (250 MB, see `data.svhn`) are no part of the project, so this is not registered as an experiment and the
claim about SVHN is *not testable here*. With the files in a folder, put this into ``claims/mine.toml``:

    [experiment."mine/street_numbers"]
    function = "minima_svhn.street_numbers"
    n = 20
    recipe = { folder = "FOLDER", points = 200, steps = 400, directions = 32, target = 0.005, checksum = true }
    quick = { n = 2, points = 10, steps = 6, directions = 2 }
    n_check = 0
"""

from __future__ import annotations

import dataclasses
import functools

from helpers import data, models
from helpers._base import seeds
from helpers.experiments import minima_flat

network = functools.partial(models.cnn2d, (32, 32, 3), 1, filters=(16, 32, 32), hidden=(64,))
NEW = 1000  # images on which networks are tested


def draw(everything, seed, row, points):
    """Return data set ``row``: clean training images, as many for the attack, and new ones, of the two files."""
    generator = seeds.generator(seed, "street numbers", row)
    here = generator.permutation(everything.n_train)[: 2 * points]
    new = generator.permutation(len(everything.y_test))[:NEW]
    part = dataclasses.replace(
        everything,
        x_train=everything.x_train[here],
        y_train=everything.y_train[here],
        x_test=everything.x_test[new],
        y_test=everything.y_test[new],
    )
    return data.split(part, points, seeds.integer(seed, "split", row))


def street_numbers(seed, n, *, folder, points, steps, directions, target, checksum):
    """How much larger are basins of good minima on SVHN, digits 1 and 7?

    Replicate: images and initial weights, given the files. Returns what `minima_flat.compared` does.
    """
    everything = data.svhn(folder=folder, classes=(1, 7), checksum=checksum)
    sets = [draw(everything, seed, row, points) for row in range(n)]
    return minima_flat.compared(
        seed, sets, network, steps=steps, directions=directions, target=target
    )
