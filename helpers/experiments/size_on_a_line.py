"""The blog post's line with networks of many sizes: do more parameters go further from the true line?

*Do Neural Networks overfit?* [overfitting-blog] fits 100 noisy points on a line with "over 40,000 parameters". Here the
training stays the post's (200 epochs of Adam), and width and depth change.
"""

from __future__ import annotations

import numpy as np

from helpers.experiments import noisy_line


def parameters(width, depth):
    """Return how many weights and biases a network from one input to one output has."""
    return 2 * width + (depth - 1) * (width + 1) * width + width + 1


def sizes(seed, n, *, widths, depth, width, depths, epochs, rate):
    """Does the excess risk grow with the number of parameters, at fixed training?

    Replicate: data set and initial weights; all sizes share the points. ``widths`` at depth ``depth``, then ``depths``
    at width ``width``.

    Returns
    -------
    dict
        ``excess_widths`` (n, W), ``excess_depths`` (n, D): mean squared distance to the true line; ``slope_widths,
        slope_depths`` (n,): of its log2 per doubling of the parameters. ``constants``: parameters of each.
    """
    sets = [noisy_line.draw(seed, row) for row in range(n)]
    x, truth = noisy_line.places(sets[0])

    def excess(wide, deep):
        runs = noisy_line.train(seed, sets, hidden=[wide] * deep, epochs=epochs, rate=rate)
        curves = noisy_line.curves_of(runs, sets, sets[0].x_test)
        return noisy_line.parts(curves, truth, x)["excess"]

    found, constants = {}, {}
    for name, shapes in (
        ("widths", [(w, depth) for w in widths]),
        ("depths", [(width, d) for d in depths]),
    ):
        values = np.stack([excess(*shape) for shape in shapes], axis=1)
        counts = np.array([parameters(*shape) for shape in shapes])
        at = np.log2(counts) - np.log2(counts).mean()
        found |= {
            f"excess_{name}": values.astype(np.float32),
            f"slope_{name}": (np.log2(values) @ at / (at @ at)).astype(np.float32),
        }
        constants[f"parameters_{name}"] = counts.astype(np.int32)
    return found | {"constants": constants}
