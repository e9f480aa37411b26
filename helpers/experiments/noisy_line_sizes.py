"""Do "40,000 parameters to tune" cost anything on the noisy line: does the error grow with a network's width and depth?

The blog post *Do Neural Networks overfit?* [overfitting-blog] fits 100 points of a line with five layers of 100 units.
Here networks from narrow to wide and from shallow to deep are trained alike, step by step: same points, same optimizer,
same rate, same number of steps. Errors as in `noisy_line`.
"""

from __future__ import annotations

import itertools

import numpy as np

from helpers._base import seeds
from helpers.experiments import noisy_line
from helpers.experiments.bias_variance import slope

SMALLEST = 1e-6  # an excess risk below it counts as that


def weights_of(hidden):
    """Return how many weights, biases included, a network with these hidden layers has on the line.

    Examples
    --------
    >>> weights_of([100] * 5)
    40701
    """
    return sum((before + 1) * after for before, after in itertools.pairwise([1, *hidden, 1]))


def sizes(seed, n, *, widths, depths, width, depth, epochs, rate, decay=False, batch=32, scale=0.0):
    """How does the excess risk change with the width and the depth of a network, if all are trained alike?

    ``widths`` at ``depth`` layers, and ``depths`` at ``width`` units. Replicate: data set; initial weights anew for
    each size.

    Returns
    -------
    dict
        ``excess_width, training_width`` (n, K), ``excess_depth, training_depth`` (n, L): excess risk, and training
        error over the noise variance. ``slope_width, slope_depth`` (n,): of log2 of the excess risk per doubling of the
        number of weights, its constants ``weights_width, weights_depth``. ``smallest_width, largest_width,
        smallest_depth, largest_depth`` (n,): excess risk at the ends; ``possible_width, possible_depth`` (n,): the
        slopes if the largest network did no better than copying the nearest point; ``line`` (n,): excess risk of least
        squares.
    """
    sets = [noisy_line.draw(seed, row) for row in range(n)]
    x, truth = noisy_line.places(sets[0])
    copied = np.mean((noisy_line.nearest(sets, x) - truth) ** 2, axis=1)
    found, constants = {}, {}
    for name, shapes in (
        ("width", [[one] * depth for one in widths]),
        ("depth", [[width] * one for one in depths]),
    ):
        excess, training = [], []
        for hidden in shapes:
            own = seeds.integer(seed, name, len(hidden), hidden[0])
            runs = noisy_line.train(
                own,
                sets,
                hidden=hidden,
                epochs=epochs,
                rate=rate,
                decay=decay,
                batch=batch,
                scale=scale,
            )
            curves = noisy_line.curves_of(runs, sets, sets[0].x_test, scale)
            excess.append(np.mean((curves - truth) ** 2, axis=1))
            training.append(noisy_line.training_error(runs, sets, scale))
        excess = np.maximum(np.stack(excess, axis=1), SMALLEST)
        count = np.array([weights_of(hidden) for hidden in shapes], np.int32)
        found |= {
            f"excess_{name}": excess, f"training_{name}": np.stack(training, axis=1),
            f"slope_{name}": slope(excess, count),
            f"possible_{name}": slope(np.column_stack([excess[:, :-1], copied]), count),
            f"smallest_{name}": excess[:, 0], f"largest_{name}": excess[:, -1],
        }  # fmt: skip
        constants[f"weights_{name}"] = count
    found["line"] = np.mean((noisy_line.least_squares(sets, x) - truth) ** 2, axis=1)
    return {k: v.astype(np.float32) for k, v in found.items()} | {"constants": constants}
