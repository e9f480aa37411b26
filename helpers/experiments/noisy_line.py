"""Noisy line: 100 points around a straight line, and networks with far more parameters than points.

The question: does a network that could pass through every point do so, and what does it cost on new points?
Source: the blog post *Do Neural Networks overfit?* [overfitting-blog].

Errors are in units of y squared; the noise variance is 4. The *excess risk* of a fit is its mean squared distance to
the true line over [0, 20]: its error on new points minus the noise that no fit can avoid.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_smoothing_spline
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from helpers import data, models
from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many

NOISE = 2.0  # standard deviation; the post's
VARIANCE = NOISE**2
LOW, HIGH = 0.0, 20.0
SHOWN = 50  # of the curves that are kept for pictures, and of the places where they are kept
FITTED = 0.4  # of the noise variance: a training error below it counts as a fit of the noise


def draw(seed, row=0, n=100):
    """Return data set ``row`` of the post: x ~ U(0, 20), y = 3 + 0.7 x + N(0, 2).

    The test part is 1,000 places on the true line.
    """
    chosen = seeds.integer(seed, "line", row)
    return data.line(n=n, slope=0.7, intercept=3.0, noise=NOISE, low=LOW, high=HIGH, seed=chosen)


def network(hidden):
    """Return the post's network: ReLU layers of the given widths, one linear output."""
    return models.mlp((1,), 1, hidden=tuple(hidden))


def cosine(rate, steps):
    """Return Adam whose learning rate falls to zero along a cosine within ``steps``."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))


def steps_of(epochs, examples=100, batch=32):
    """Return how many optimizer steps so many epochs are."""
    return epochs * -(-examples // batch)


def train(seed, sets, *, hidden, epochs, rate, decay=False, batch=32, scale=0.0, snapshots=()):
    """Train network i on data set i; return the runs.

    ``scale`` standardises the inputs (by the mean and standard deviation that U(0, 20) has) and multiplies them by it;
    0 takes them as they are, as the post does.
    """
    stack = data.Dataset.stack([scaled(one, scale) for one in sets])
    optimizer = cosine(rate, steps_of(epochs, stack.n_train, batch)) if decay else "adam"
    return fit_many(
        network(hidden), stack, members=len(sets), epochs=epochs, batch_size=batch, optimizer=optimizer,
        learning_rate=None if decay else rate, snapshots=snapshots, record_every=epochs,
        seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def inputs(x, scale):
    """Return the inputs as the network sees them (see `train`)."""
    if not scale:
        return x
    middle, spread = (LOW + HIGH) / 2, (HIGH - LOW) / np.sqrt(12)
    return (scale * (x - middle) / spread).astype(np.float32)


def scaled(one, scale):
    """Return a data set with its inputs as the network sees them."""
    if not scale:
        return one
    return data.Dataset(
        x_train=inputs(one.x_train, scale), y_train=one.y_train, task="regression", name=one.name
    )


def curves_of(runs, sets, x, scale=0.0, epoch=None):
    """Return the fitted curves at x (N, 1) or (R, N, 1): (R, N) float64.

    A diverged network counts as the mean of its training targets.
    """
    curves = runs.predict(inputs(x, scale), epoch=epoch)[..., 0].astype(float)
    means = np.array([one.y_train.mean() for one in sets], float)
    return np.where(runs.diverged[:, None], means[:, None], curves)


def training_error(runs, sets, scale=0.0, epoch=None):
    """Return the mean squared error on the training points over the noise variance, (R,)."""
    x, y = (np.stack([getattr(one, name) for one in sets]) for name in ("x_train", "y_train"))
    return np.mean((curves_of(runs, sets, x, scale, epoch) - y[..., 0]) ** 2, axis=1) / VARIANCE


def least_squares(sets, x):
    """Return the least-squares lines at x (N,) or (R, N): (R, N) float64."""
    x = np.broadcast_to(x, (len(sets), np.shape(x)[-1]))
    return np.array(
        [np.polyval(np.polyfit(*points(one), 1), at) for one, at in zip(sets, x, strict=True)]
    )


def points(one):
    """Return the training points of a data set, x and y (N,) float64."""
    return one.x_train[:, 0].astype(float), one.y_train[:, 0].astype(float)


def nearest(sets, x, k=1):
    """Return the mean of the k nearest training targets at x (N,): (R, N) float64."""
    curves = []
    for one in sets:
        at, y = points(one)
        order = np.argsort(np.abs(x[:, None] - at), axis=1, kind="stable")[:, :k]
        curves.append(y[order].mean(axis=1))
    return np.array(curves)


def polynomial(sets, x, degree):
    """Return polynomials of least squares at x (N,), in the Legendre basis: (R, N) float64."""
    place = lambda at: np.polynomial.legendre.legvander(2 * (at - LOW) / (HIGH - LOW) - 1, degree)  # noqa: E731
    return np.array(
        [place(x) @ np.linalg.lstsq(place(at), y, rcond=None)[0] for at, y in map(points, sets)]
    )


def parts(curves, truth, x):
    """Split the squared distance to the true line into offset, slope and wiggle, which add up to the excess risk.

    Parameters
    ----------
    curves : numpy.ndarray (R, N)
        Fits at evenly spaced places.
    truth, x : numpy.ndarray (N,)
        The true line, and the places.

    Returns
    -------
    dict of numpy.ndarray (R,)
        "excess", "offset" (too high or too low everywhere), "slope" (too steep or too flat), "wiggle" (the rest).
    """
    error, centred = curves - truth, x - x.mean()
    tilt = error @ centred / (centred @ centred)  # (R,)
    rest = error - error.mean(axis=1, keepdims=True) - tilt[:, None] * centred
    return {
        "excess": np.mean(error**2, axis=1),
        "offset": error.mean(axis=1) ** 2,
        "slope": tilt**2 * np.mean(centred**2),
        "wiggle": np.mean(rest**2, axis=1),
    }


def named(found, ending):
    """Return a dict with an ending on every name, as float32."""
    return {f"{name}_{ending}": values.astype(np.float32) for name, values in found.items()}


def places(one):
    """Return where curves are compared and the true line there, (1000,) float64 each."""
    return one.x_test[:, 0].astype(float), one.y_test[:, 0].astype(float)


def forty_thousand_parameters(seed, n, *, hidden, epochs, rate):
    """How far from the true line, and from its points, is the post's network after 200 epochs?

    Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``excess, offset, slope, wiggle`` with the ending ``_network`` or ``_line`` (least squares on the same points),
        ``training_network, training_line`` (training error over the noise variance), ``distance`` (root mean square
        distance between the two curves over the noise's standard deviation), ``excess_nearest`` (the nearest
        neighbour, a rival known to be worse): (n,) each. For pictures, of the first 50: ``curves`` (50, 50) at
        ``constants["x"]``, and ``points`` (50, 100, 2).
    """
    sets = [draw(seed, row) for row in range(n)]
    runs = train(seed, sets, hidden=hidden, epochs=epochs, rate=rate)
    x, truth = places(sets[0])
    fits, lines = curves_of(runs, sets, sets[0].x_test), least_squares(sets, x)
    own = np.stack([points(one)[0] for one in sets])
    y = np.stack([points(one)[1] for one in sets])
    step = len(x) // SHOWN
    return named(parts(fits, truth, x), "network") | named(parts(lines, truth, x), "line") | {
        "training_network": training_error(runs, sets).astype(np.float32),
        "training_line": (np.mean((least_squares(sets, own) - y) ** 2, axis=1) / VARIANCE).astype(np.float32),
        "distance": (np.sqrt(np.mean((fits - lines) ** 2, axis=1)) / NOISE).astype(np.float32),
        "excess_nearest": np.mean((nearest(sets, x) - truth) ** 2, axis=1).astype(np.float32),
        "curves": fits[:SHOWN, ::step].astype(np.float32),
        "points": np.stack([own, y], axis=2)[:SHOWN].astype(np.float32),
        "constants": {"x": x[::step].astype(np.float32), "truth": truth[::step].astype(np.float32)},
    }  # fmt: skip


def decayed_rate(seed, n, *, hidden, epochs, rate):
    """Does the shift of the whole curve go when the learning rate decays to zero?

    Replicate: data set and initial weights; both networks share them and the order of the batches.

    Returns
    -------
    dict
        ``excess, offset, slope, wiggle`` with the ending ``_constant``, ``_decayed`` or ``_line``;
        ``cost_constant`` and ``cost_decayed``: excess risk above that of least squares. (n,) each.
    """
    sets = [draw(seed, row) for row in range(n)]
    x, truth = places(sets[0])
    found = named(parts(least_squares(sets, x), truth, x), "line")
    for name, decay in (("constant", False), ("decayed", True)):
        runs = train(seed, sets, hidden=hidden, epochs=epochs, rate=rate, decay=decay)
        found |= named(parts(curves_of(runs, sets, sets[0].x_test), truth, x), name)
        found[f"cost_{name}"] = found[f"excess_{name}"] - found["excess_line"]
    return found


def trained_until_it_fits(seed, n, *, hidden, steps, rate, scale, epochs, first_rate):
    """What does the network do on new points once it is trained until it fits its own?

    Full batch, Adam with a cosine decay, on inputs that are standardised and multiplied by ``scale`` (0: the
    post's). Replicate: data set and initial weights; the post's training (``epochs`` at ``first_rate``, batches of 32)
    starts from the same weights on the same points.

    Returns
    -------
    dict
        ``training`` and ``excess`` (n, S) at the S steps of ``constants["steps"]``; ``training_end, excess_end``,
        ``training_post, excess_post`` (the post's recipe), ``excess_line, excess_nearest, excess_polynomial`` (degree
        99) (n,); ``fitted`` (training error below 0.4 of the noise variance), ``worse_than_post``,
        ``worse_than_nearest`` (n,) bool; ``curves`` (50, 50) at the end.
    """
    sets = [draw(seed, row) for row in range(n)]
    x, truth = places(sets[0])
    marks = np.unique(np.geomspace(1, steps, 24).astype(int))
    runs = train(
        seed, sets, hidden=hidden, epochs=steps, rate=rate, decay=True, batch=sets[0].n_train, scale=scale,
        snapshots=marks[:-1].tolist(),
    )  # fmt: skip
    training = np.stack([training_error(runs, sets, scale, int(mark)) for mark in marks], axis=1)
    excess = np.empty_like(training)
    for place, mark in enumerate(marks):
        fits = curves_of(runs, sets, sets[0].x_test, scale, int(mark))
        excess[:, place] = np.mean((fits - truth) ** 2, axis=1)
    post = train(seed, sets, hidden=hidden, epochs=epochs, rate=first_rate)
    of_post = np.mean((curves_of(post, sets, sets[0].x_test) - truth) ** 2, axis=1)
    risk = lambda curves: np.mean((curves - truth) ** 2, axis=1)  # noqa: E731
    of_nearest = risk(nearest(sets, x))
    found = {
        "training": training, "excess": excess, "training_end": training[:, -1], "excess_end": excess[:, -1],
        "training_post": training_error(post, sets), "excess_post": of_post,
        "excess_line": risk(least_squares(sets, x)), "excess_nearest": of_nearest,
        "excess_polynomial": np.minimum(risk(polynomial(sets, x, sets[0].n_train - 1)), 1e30),
        "curves": fits[:SHOWN, :: len(x) // SHOWN],
    }  # fmt: skip
    found = {name: values.astype(np.float32) for name, values in found.items()}
    return found | {
        "fitted": training[:, -1] < FITTED,
        "worse_than_post": excess[:, -1] > of_post,
        "worse_than_nearest": excess[:, -1] > of_nearest,
        "constants": {
            "steps": marks.astype(np.int32),
            "x": x[:: len(x) // SHOWN].astype(np.float32),
        },
    }


def trained_on(seed, n, *, hidden, epochs, rate):
    """Does the network stay reasonable when it is trained on, at the same rate?

    Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``excess``, ``training`` (n, E) at the epochs of ``constants["epochs"]``; ``excess_first, excess_last`` (n,).
    """
    sets = [draw(seed, row) for row in range(n)]
    _, truth = places(sets[0])
    runs = train(
        seed, sets, hidden=hidden, epochs=epochs[-1], rate=rate, snapshots=tuple(epochs[:-1])
    )
    fits = [curves_of(runs, sets, sets[0].x_test, epoch=epoch) for epoch in epochs]
    excess = np.stack([np.mean((curve - truth) ** 2, axis=1) for curve in fits], axis=1)
    training = np.stack([training_error(runs, sets, epoch=epoch) for epoch in epochs], axis=1)
    return {
        "excess": excess.astype(np.float32),
        "training": training.astype(np.float32),
        "excess_first": excess[:, 0].astype(np.float32),
        "excess_last": excess[:, -1].astype(np.float32),
        "constants": {"epochs": np.array(epochs, np.int32)},
    }


def one_unit(seed, n, *, epochs, rate):
    """Is a one-unit Keras layer, trained by gradient descent, linear regression?

    Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``excess_layer, excess_line`` (n,), and ``distance``: root mean square distance between the two lines over the
        noise's standard deviation.
    """
    sets = [draw(seed, row) for row in range(n)]
    x, truth = places(sets[0])
    runs = train(seed, sets, hidden=(), epochs=epochs, rate=rate)
    fits, lines = curves_of(runs, sets, sets[0].x_test), least_squares(sets, x)
    found = {
        "excess_layer": np.mean((fits - truth) ** 2, axis=1),
        "excess_line": np.mean((lines - truth) ** 2, axis=1),
        "distance": np.sqrt(np.mean((fits - lines) ** 2, axis=1)) / NOISE,
    }
    return {name: values.astype(np.float32) for name, values in found.items()}


def gaussian_process(sets, x):
    """Return Gaussian processes, length and noise by marginal likelihood, at x (N,): (R, N) float64."""
    kernel = ConstantKernel(10.0) * RBF(5.0) + WhiteKernel(1.0)
    curves = []
    for at, y in map(points, sets):
        process = GaussianProcessRegressor(kernel, normalize_y=True).fit(at[:, None], y)
        curves.append(process.predict(x[:, None]))
    return np.array(curves)


def spline(sets, x):
    """Return cubic smoothing splines chosen by generalized cross-validation: (R, N) float64."""
    curves = []
    for at, y in map(points, sets):
        order = np.argsort(at, kind="stable")
        curves.append(make_smoothing_spline(at[order], y[order])(x))
    return np.array(curves)


def rivals(seed, n, *, hidden, epochs, rate):
    """Is least squares the best that one can do on this line?

    Replicate: data set and initial weights.

    Returns
    -------
    dict
        Excess risk of ``least_squares`` and of seven rivals (n,): ``network``, ``nearest_1``, ``nearest_10``,
        ``nearest_40``, ``gaussian_process``, ``spline``, ``polynomial_5``; ``theory_gap`` (n,) float64: the distance
        between 2 s^2 / n and what the hat matrix gives for the mean error of least squares at the training inputs.
    """
    sets = [draw(seed, row) for row in range(n)]
    x, truth = places(sets[0])
    runs = train(seed, sets, hidden=hidden, epochs=epochs, rate=rate)
    fits = {
        "least_squares": least_squares(sets, x), "network": curves_of(runs, sets, sets[0].x_test),
        "nearest_1": nearest(sets, x, 1), "nearest_10": nearest(sets, x, 10), "nearest_40": nearest(sets, x, 40),
        "gaussian_process": gaussian_process(sets, x), "spline": spline(sets, x),
        "polynomial_5": polynomial(sets, x, 5),
    }  # fmt: skip
    found = {
        name: np.mean((curves - truth) ** 2, axis=1).astype(np.float32)
        for name, curves in fits.items()
    }
    return found | {
        "theory_gap": np.array([abs(_mean_error(one) - 2 * VARIANCE / one.n_train) for one in sets])
    }


def _mean_error(one):
    """Return the expected squared error of least squares at its training inputs, from the trace of the hat matrix."""
    basis = np.vander(points(one)[0], 2)
    hat = basis @ np.linalg.pinv(basis)
    return VARIANCE * np.trace(hat @ hat.T) / one.n_train
