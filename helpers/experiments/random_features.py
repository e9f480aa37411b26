"""Random ReLU features, solved exactly: what happens to the error as features are added, beyond the examples' number?

The model of Belkin et al. [belkin2019] that needs no training: ``relu(x @ v)`` with frozen Gaussian ``v`` and without
biases, N of them, and least squares on top. Up to N = n features there is one best fit; beyond, of all that fit every
example, the one with the smallest weights: where gradient descent from zero ends. Features are nested: the first N of
the same draw.

Errors are in percent of new examples. Targets are one-hot minus 0.1; squared errors are means over the ten outputs, so
that answering 0 everywhere has 0.09. All is solved in double precision by one thread: with more, sums are split
among the cores, and the last bits depend on their number.
"""

from __future__ import annotations

import functools

import numpy as np
import threadpoolctl

from helpers import data
from helpers._base import seeds

CLASSES = 10
MEAN = 1 / CLASSES  # of a one-hot target
SMALLEST = 1e-12  # singular values below this share of the largest count as zero


def one_thread(function):
    """Return the function, with linear algebra held to one thread while it runs."""

    @functools.wraps(function)
    def held(*args, **options):
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **options)

    return held


# ------------------------------------------------------------------------------------------ the model


def draw(seed, row=0, *, source="mnist1d", examples=200, noise=0.0, validation=1000, test=1000):
    """Return x, labels of training, validation and new examples of data set ``row``: three pairs, float64.

    ``source``: "mnist1d" (generated anew) or "digits" (drawn anew from 5,000 images). ``noise``: share of the training
    labels that are replaced by another one.
    """
    chosen = seeds.integer(seed, "examples", row)
    if source == "mnist1d":
        one = data.mnist1d_fresh(n_train=examples, n_val=validation, n_test=test, seed=chosen)
        rest = [(one.x_val, one.y_val), (one.x_test, one.y_test)]
    elif source == "digits":
        one = data.mnist_small(n_train=examples, n_test=validation + test, seed=chosen)
        rest = [
            (one.x_test[:validation], one.y_test[:validation]),
            (one.x_test[validation:], one.y_test[validation:]),
        ]
    else:
        raise ValueError(f'Argument `source` must be "mnist1d" or "digits". Received: {source!r}.')
    if noise:
        one, _ = data.with_label_noise(one, noise, seed=chosen, other=True)
    pairs = [(one.x_train, one.y_train), *rest]
    return [(np.reshape(x, (len(x), -1)).astype(float), np.ravel(y)) for x, y in pairs]


def directions(seed, row, inputs, most):
    """Return the frozen weights v, (D, most), of variance 1 / D, of data set ``row``."""
    rng = seeds.generator(seed, "features", row)
    return rng.normal(0, inputs**-0.5, (most, inputs)).T


def features(x, v):
    """Return ReLU features of x (N, D) for the columns of v, (N, K)."""
    return np.maximum(x @ v, 0)


def targets(labels):
    """Return one-hot targets minus a tenth, (N, 10)."""
    return np.eye(CLASSES)[labels] - MEAN


class Fit:
    """Least squares on features, by singular values; past the threshold the fit with the smallest weights.

    Parameters
    ----------
    phi : ndarray (n, N)
        Features of the training examples.
    """

    @one_thread  # with more, small decompositions wait for each other many times as long
    def __init__(self, phi):
        u, s, vt = np.linalg.svd(phi, full_matrices=False)
        keep = s > SMALLEST * s[0]
        self.u, self.s, self.vt = u[:, keep], s[keep], vt[keep]

    def weights(self, y, penalty=0.0, cut=0.0):
        """Return the weights (N, outputs) for targets y.

        ``penalty``: added to every squared singular value (ridge). ``cut``: singular values below this share of the
        largest are left out.
        """
        return self.vt.T @ self._filtered(y, penalty, cut)

    def _filtered(self, y, penalty, cut):
        gain = np.where(self.s >= cut * self.s[0], self.s / (self.s**2 + penalty), 0)
        return gain[:, None] * (self.u.T @ y)

    def path(self, phi, y, penalties):
        """Return the predictions for other features phi (M, N) under each penalty, (P, M, outputs)."""
        inner = phi @ self.vt.T
        return np.stack([inner @ self._filtered(y, penalty, 0.0) for penalty in penalties])


def errors(scores, labels):
    """Return wrong answers in percent, of scores (..., M, 10)."""
    return 100 * np.mean(scores.argmax(axis=-1) != labels, axis=-1)


def squared(scores, labels):
    """Return the mean squared error per output, of scores (..., M, 10)."""
    return np.mean((scores - targets(labels)) ** 2, axis=(-2, -1))


def wiggles(x, v, weights, steps=20, pairs=100):
    """Return how much functions vary along straight lines between examples: two numbers for each of several.

    ``weights``: list of (N, 10), each on the first N features. Lines lead from example i to example i + 1.

    Returns
    -------
    ndarray (2, len(weights))
        Mean length of the way that an output takes along a line (total variation), and root mean square of its
        second differences, over lines and outputs.
    """
    at = np.linspace(0, 1, steps + 1)[:, None, None]
    points = (1 - at) * x[:pairs] + at * x[1 : pairs + 1]  # (steps + 1, pairs, D)
    most = max(len(one) for one in weights)
    phi = features(points.reshape(-1, x.shape[1]), v[:, :most])
    found = []
    for one in weights:
        f = (phi[:, : len(one)] @ one).reshape(steps + 1, -1)
        way = np.abs(np.diff(f, axis=0)).sum(axis=0).mean()
        found.append((way, np.sqrt(np.mean(np.diff(f, n=2, axis=0) ** 2))))
    return np.array(found).T


# ------------------------------------------------------------------------------------- the experiments


@one_thread
def widths(
    seed, n, *, examples, shares, penalties, small, large, source="mnist1d", noise=0.0, wiggle=None
):
    """How do error, squared error, weights and wiggles change with the number of features?

    Replicate: examples and features. ``shares``: numbers of features as multiples of the examples, 1 among them;
    ``small`` and ``large``: the two that claims compare; ``wiggle``: three at which functions are walked along.

    Returns
    -------
    dict
        For K numbers of features: ``error, mse, training_error, norm`` (n, K), the same of a ridge penalty tuned on
        1,000 other examples for each number: ``error_ridge, mse_ridge`` (n, K). Scalars (n,): ``error_small,
        error_one, error_large`` (at ``small`` n, n and ``large`` n features), with the ending ``_ridge`` too, the
        same of ``mse``; ``error_best, mse_best``: of the number below n that was best on the validation examples, by
        the same measure; ``error_ridge_best, mse_ridge_best``: of the best number, with a ridge penalty;
        ``error_any_best, mse_any_best``: of the best of all, number and penalty, none included;
        ``peak_here, peak_error_here`` (bool): squared error, and error, are largest within one step of n; ``gain,
        gain_ridge``: error at n minus that at ``large`` n; ``no_gain``: 0; ``rise, rise_ridge``: error at n minus
        that at ``small`` n; ``norm_W, way_W, bends_W``: length of the weights, total variation and second differences
        at the three numbers W = few, past, many.
    """
    counts = [round(share * examples) for share in shares]
    at, one, far = shares.index(small), shares.index(1.0), shares.index(large)
    found = []
    for row in range(n):
        (x, y), (x_val, y_val), (x_new, y_new) = draw(
            seed, row, source=source, examples=examples, noise=noise
        )
        v, wanted = directions(seed, row, x.shape[1], counts[-1]), targets(y)
        phi, aside, new = (features(part, v) for part in (x, x_val, x_new))
        here = {
            name: []
            for name in ("error", "mse", "training_error", "norm", "error_ridge", "mse_ridge")
        }
        scored, kept = [], {}
        for count in counts:
            fit = Fit(phi[:, :count])
            weights = fit.weights(wanted)
            scores = new[:, :count] @ weights
            beside = aside[:, :count] @ weights
            path = fit.path(aside[:, :count], wanted, penalties)
            picked = int(squared(path, y_val).argmin())
            strength, along = penalties[picked], path[picked]
            scored.append(
                [measure(part, y_val) for part in (beside, along) for measure in (errors, squared)]
            )
            tuned = new[:, :count] @ fit.weights(wanted, strength)
            for name, value in (
                ("error", errors(scores, y_new)), ("mse", squared(scores, y_new)),
                ("training_error", errors(phi[:, :count] @ weights, y)), ("norm", np.linalg.norm(weights)),
                ("error_ridge", errors(tuned, y_new)), ("mse_ridge", squared(tuned, y_new)),
            ):  # fmt: skip
                here[name].append(value)
            kept[count] = weights
        here = {name: np.array(value) for name, value in here.items()}
        scored = np.array(scored)
        below = scored[:one]  # fewer features than examples
        here |= {
            "error_best": here["error"][below[:, 0].argmin()], "mse_best": here["mse"][below[:, 1].argmin()],
            "error_ridge_best": here["error_ridge"][scored[:, 2].argmin()],
            "mse_ridge_best": here["mse_ridge"][scored[:, 3].argmin()],
            "error_any_best": best_of(here["error"], here["error_ridge"], scored[:, 0], scored[:, 2]),
            "mse_any_best": best_of(here["mse"], here["mse_ridge"], scored[:, 1], scored[:, 3]),
            "peak_here": abs(int(here["mse"].argmax()) - one) <= 1,
            "peak_error_here": abs(int(here["error"].argmax()) - one) <= 1,
        }  # fmt: skip
        for name in ("error", "mse", "error_ridge", "mse_ridge"):
            head, _, tail = name.partition("_")
            for word, place in (("small", at), ("one", one), ("large", far)):
                here["_".join(filter(None, (head, word, tail)))] = here[name][place]
        for tail in ("", "_ridge"):
            values = here[f"error{tail}"]
            here |= {
                f"gain{tail}": values[one] - values[far],
                f"rise{tail}": values[one] - values[at],
            }
        here["no_gain"] = 0.0
        if wiggle is not None:
            three = [kept[round(share * examples)] for share in wiggle]
            way, bends = wiggles(x_new, v, three)
            for place, word in enumerate(("few", "past", "many")):
                length = np.linalg.norm(three[place])
                here |= {
                    f"norm_{word}": length,
                    f"way_{word}": way[place],
                    f"bends_{word}": bends[place],
                }
        found.append(here)
    return stacked(found) | {
        "constants": {
            "counts": np.array(counts, np.int32),
            "examples": np.array([examples], np.int32),
        }
    }


def best_of(plain, tuned, plain_aside, tuned_aside):
    """Return that of the values plain, tuned (K,) each whose fit has the smallest value on the validation examples."""
    aside = np.concatenate([plain_aside, tuned_aside])
    return np.concatenate([plain, tuned])[aside.argmin()]


def stacked(rows):
    """Return a dict of arrays, replicates first, from a list of dicts; floats in single precision."""
    joined = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value
        for name, value in joined.items()
    }
