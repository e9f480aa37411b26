"""The controlled experiments: one function each, by family. `controls` judges them, stores them and writes the table.

A control uses a recipe, a quantity and a region of the notebooks where its outcome is known beforehand, by theory or
by construction. The first line of its docstring says what is done; what has to come out follows from its kind.
Replicates are fewer than in the notebooks. Data sets are of no notebook; training seeds are 0 and 1.
"""

import functools
from dataclasses import dataclass
from types import SimpleNamespace

import keras
import numpy as np

from helpers import Dataset, data, fit_many, landscape, measures, models, predict_many, pruning

N = 50  # replicates, where nothing else is said
FAMILIES = {  # experiments with one recipe and one kind of measurement, and the claims that rest on them
    "noisy line": "overfitting-blog/*",
    "longer and wider": "keras-post/validation-exceeds-training keras-post/longer-training-* "
    "keras-post/more-capacity-*",
    "choosing by training loss": "keras-post/training-loss-does-not-predict keras-post/selecting-by-training-loss-*",
    "penalty and dropout": "keras-post/l2-* keras-post/similar-training-loss-* keras-post/k-fold-* "
    "keras-post/gap-grows-* generalization-thread/dropout-* generalization-thread/more-data-*",
    "when to stop": "keras-post/early-stopping-helps generalization-thread/noise-* "
    "generalization-thread/end-is-overfit generalization-thread/high-learning-rate-overshoots",
    "smoothness": "generalization-thread/weights-start-* generalization-thread/small-initial-* "
    "generalization-thread/l2-makes-smoother",
    "batch norm": "keras-post/batch-norm-lowers-* keras-post/batch-norm-similar-* keras-post/batch-norm-helps-*",
    "deep with batch norm": "keras-post/batch-norm-speeds-* keras-post/batch-norm-smooths-* batch-norm/*",
    "bad minima": "flat-minima/bad-minima-* flat-minima/no-loss-reason-* flat-minima/sgd-* flat-minima/random-search-*",
    "flatness": "flat-minima/good-* flat-minima/recipe-share-*",
    "basins": "flat-minima/bad-basins-* flat-minima/volume-* flat-minima/radius-ratio-* flat-minima/sharpness-*",
    "XOR": "xor-thread/two-units-* xor-thread/more-units-* xor-thread/four-units-* xor-thread/occurs-* "
    "xor-thread/pattern-* xor-thread/signs-decide xor-thread/number-of-points-* xor-thread/biases-*",
    "inside an XOR network": "xor-thread/local-minima-* xor-thread/rest-is-not-used xor-thread/pruned-path-* "
    "xor-thread/winning-pair-*",
    "tickets": "lottery/*",
}
KINDS = ("A/A", "known effect", "cause")
CONTROLS = []


@dataclass(frozen=True)
class Control:
    """One control.

    Attributes
    ----------
    family, kind : str
        Of `FAMILIES` and `KINDS`.
    claim : str
        Its quantity and region are used.
    text : str
        What is done.
    cheap : bool
        Runs in the test suite too: a few seconds, and no A/A, of which one in a hundred has to fail.
    run : callable
        Returns values and baseline, (M,) each or None; for a cause, the effect with the cause and without, (M,) each.
    """

    family: str
    kind: str
    claim: str
    text: str
    cheap: bool
    run: callable


def control(family, kind, claim, cheap=False):
    """Enter the decorated function into `CONTROLS`."""

    def enter(function):
        CONTROLS.append(Control(family, kind, claim, function.__doc__.splitlines()[0], cheap, function))
        return function

    return enter


def seeds(count, offset):
    """Return ``count`` data seeds; ``offset`` tells the experiments apart."""
    first = (7_000 * 100 + offset) * 100_000
    return range(first, first + count)


def fit(build, stack, epochs, seed=0, **options):
    """Train one network on each data set of a stack."""
    options = {"record_every": max(epochs, 1)} | options
    return fit_many(build, stack, members=len(stack.x_train), epochs=epochs, seed=seed, **options)


def mse(runs, x, y, epoch=None):
    """Return the mean squared error, (M,); a diverged network counts as the mean of all targets."""
    fits = np.where(runs.diverged[:, None], y.mean(), runs.predict(x, epoch=epoch)[..., 0].astype(float))
    return np.mean((fits - y[..., 0]) ** 2, axis=1)


# The noisy line ------------------------------------------------------------------------------------------------------


@functools.cache
def noisy_lines():
    """Return the blog post's data, one set a network."""
    return Dataset.stack([data.line(seed=seed) for seed in seeds(N, 0)])


@functools.cache
def excess(activation="relu", decay=False, seed=0):
    """Return the excess risk of 40,701 parameters, trained as in the blog post or with a rate that decays, (M,)."""
    stack = noisy_lines()
    build = functools.partial(models.mlp, (1,), 1, hidden=(100,) * 5, activation=activation)
    rate = keras.optimizers.schedules.CosineDecay(0.01, 800) if decay else 0.01
    return mse(fit(build, stack, 200, seed, optimizer=keras.optimizers.Adam(rate)), stack.x_test, stack.y_test)


@functools.cache
def excess_of_lines():
    """Return the excess risk of least squares, (M,)."""
    stack = noisy_lines()
    sets = [stack.member(i) for i in range(N)]
    return np.array([np.mean((np.polyval(line_of(s), s.x_test) - s.y_test) ** 2) for s in sets])


def line_of(dataset):
    """Return slope and intercept by least squares."""
    return np.polyfit(dataset.x_train[:, 0].astype(float), dataset.y_train[:, 0].astype(float), 1)


@control("noisy line", "A/A", "overfitting-blog/resembles-least-squares")
def noisy_line_twice():
    """Train the 40,701-parameter network twice, with other initial weights and batch orders."""
    return excess(seed=1), excess(seed=0)


@control("noisy line", "known effect", "overfitting-blog/resembles-least-squares")
def noisy_line_without_relu():
    """Leave out its ReLUs and decay its learning rate: what is left is a straight line."""
    return excess("linear", decay=True), excess_of_lines()


@control("noisy line", "cause", "overfitting-blog/resembles-least-squares")
def noisy_line_with_decay():
    """Decay the learning rate, which the text blames for most of the excess risk."""
    return excess() - excess_of_lines(), excess(decay=True) - excess_of_lines()


# Longer and wider ----------------------------------------------------------------------------------------------------


def post_sets(count, offset, n=100, val=0.2):
    """Return data sets of the Keras post, stacked."""
    drawn = [data.line(n, 2.0, 1.0, x="grid", high=10, seed=seed) for seed in seeds(count, offset)]
    return Dataset.stack([data.split(s, val, seed) for s, seed in zip(drawn, seeds(count, offset), strict=True)])


post_network = functools.partial(models.mlp, (1,), 1)


@functools.cache
def posts():
    """Return the data sets that the controls on the post's network share."""
    return post_sets(N, 1)


@functools.cache
def post_runs(seed=0, batch_norm=False):
    """Train the post's network on them."""
    return fit(functools.partial(post_network, batch_norm=batch_norm), posts(), 200, seed)


@control("longer and wider", "A/A", "keras-post/longer-training-overfits")
def post_twice():
    """Train the 64-64 network twice, with other initial weights and batch orders."""
    stack = posts()
    return tuple(mse(post_runs(seed), stack.x_val, stack.y_val) for seed in (1, 0))


@control("longer and wider", "known effect", "keras-post/validation-exceeds-training", cheap=True)
def eight_points():
    """Train on eight points: even a straight line has a gap of twice the noise variance times 2/8, which is 2."""
    stack = post_sets(N, 2, n=16, val=0.5)
    runs = fit(post_network, stack, 2000)
    return mse(runs, stack.x_val, stack.y_val), mse(runs, stack.x_train, stack.y_train)


INPUTS = 50
straight = functools.partial(models.linear, (INPUTS,), 1)
LONG, EARLY = 2000, (1, 2, 5, 10, 20, 50, 100, 200, 500)


@functools.cache
def pure_noise(count=150):
    """Return data sets whose targets are noise of variance 4 alone: 60 points, 50 inputs, 20 to validate."""
    sets = []
    for seed in seeds(count, 3):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(80, INPUTS)), 2 * rng.normal(size=(80, 1))
        fresh = rng.normal(size=(500, INPUTS))
        part = {"x_train": x[:60], "y_train": y[:60], "x_val": x[60:], "y_val": y[60:]}
        part |= {"x_test": fresh, "y_test": np.zeros((500, 1))}
        sets.append(Dataset(**part, task="regression", name="noise"))
    return Dataset.stack(sets)


@functools.cache
def lines_on_noise(seed=0):
    """Train linear models on it, full batch, nearly to least squares."""
    return fit(straight, pure_noise(), LONG, seed, batch_size=60, learning_rate=0.01, snapshots=EARLY)


@control("longer and wider", "known effect", "keras-post/longer-training-overfits", cheap=True)
def longer_on_noise():
    """Fit 50 inputs to 60 targets of pure noise: least squares, where training leads, has an excess risk near 25."""
    stack, runs = pure_noise(), lines_on_noise()
    return mse(runs, stack.x_val, stack.y_val), mse(runs, stack.x_val, stack.y_val, epoch=20)


# Choosing by training loss -------------------------------------------------------------------------------------------


@functools.cache
def polynomials(count=200, highest=40):
    """Return training, two validation errors and true risk of polynomials of degree 1 to ``highest``: (4, M, degrees).

    80 points to train on, 20 in each of two validation sets.
    """

    def basis(x):
        return np.polynomial.legendre.legvander(np.asarray(x, float)[:, 0] / 10 - 1, highest)

    found = np.zeros((4, count, highest))
    for i, seed in enumerate(seeds(count, 4)):
        s = data.line(120, seed=seed)
        x, y = basis(s.x_train), s.y_train[:, 0].astype(float)
        there, truth = basis(s.x_test), s.y_test[:, 0].astype(float)
        for k in range(highest):
            w = np.linalg.lstsq(x[:80, : k + 2], y[:80], rcond=None)[0]
            error = (x[:, : k + 2] @ w - y) ** 2
            risk = np.mean((there[:, : k + 2] @ w - truth) ** 2)
            found[:, i, k] = error[:80].mean(), error[80:100].mean(), error[100:].mean(), risk
    return found


def chosen(criterion, risk):
    """Return the risk of the candidate with the lowest criterion, (M,)."""
    return risk[np.arange(len(risk)), criterion.argmin(axis=1)]


@control("choosing by training loss", "A/A", "keras-post/training-loss-does-not-predict")
def validation_twice():
    """Choose among polynomials of degree 1 to 5 by one validation set, and by another of the same size."""
    _, first, second, risk = polynomials()[:, :, :5]
    return chosen(first, risk), chosen(second, risk)


@control("choosing by training loss", "known effect", "keras-post/selecting-by-training-loss-overfits", cheap=True)
def nested_models():
    """Choose among polynomials of degree 1 to 40: training loss always takes 40, the worst or nearly so."""
    train, val, _, risk = polynomials()
    return chosen(train, risk) > chosen(val, risk), None


# Penalty and dropout -------------------------------------------------------------------------------------------------


@functools.cache
def fifty_inputs():
    """Return regressions on 5 of 50 inputs: 80 points to train on, 20 to validate."""
    sets = []
    for seed in seeds(N, 5):
        rng = np.random.default_rng(seed)
        slopes = np.where(np.arange(INPUTS) < 5, rng.normal(size=INPUTS), 0.0)
        slopes *= 10 / np.sqrt(3) / np.linalg.norm(slopes)
        x = rng.normal(size=(100, INPUTS))
        y = (x @ slopes + 2 * rng.normal(size=100))[:, None]
        sets.append(data.split(Dataset(x_train=x, y_train=y, task="regression", name="wide"), 0.2, seed))
    return Dataset.stack(sets)


@control("penalty and dropout", "A/A", "keras-post/l2-lowers-validation-mse")
def fifty_inputs_twice():
    """Train the 64-64 network on fifty inputs twice, with other initial weights and batch orders."""
    stack, build = fifty_inputs(), functools.partial(models.mlp, (INPUTS,), 1)
    return tuple(mse(fit(build, stack, 200, seed), stack.x_val, stack.y_val) for seed in (1, 0))


def ridge(strength):
    """Build a linear model with an L2 penalty."""
    penalty = keras.regularizers.L2(strength)
    return keras.Sequential([keras.Input((INPUTS,)), keras.layers.Dense(1, kernel_regularizer=penalty)])


@control("penalty and dropout", "known effect", "keras-post/l2-lowers-validation-mse", cheap=True)
def ridge_on_noise():
    """Fit linear models to pure noise: the penalty of ridge regression takes away most of an excess risk near 25."""
    stack, plain = pure_noise(), lines_on_noise()
    runs = fit(functools.partial(ridge, 1.0), stack, LONG, batch_size=60, learning_rate=0.01)
    return mse(runs, stack.x_val, stack.y_val), mse(plain, stack.x_val, stack.y_val)


@control("penalty and dropout", "cause", "keras-post/l2-lowers-reported-val-loss", cheap=True)
def penalty_not_counted():
    """Leave the penalty out of val_loss: the text blames it for the higher reported loss."""
    stack, plain = posts(), post_runs()
    runs = fit(functools.partial(post_network, l2=0.01), stack, 200)
    reported = [r.history["val_loss"][:, -1].astype(float) for r in (runs, plain)]
    errors = [mse(r, stack.x_val, stack.y_val) for r in (runs, plain)]
    return reported[0] - reported[1], errors[0] - errors[1]


# When to stop --------------------------------------------------------------------------------------------------------


def noise_path(seed=0):
    """Return validation error and risk of the linear models on pure noise at the stages, (stages, M) each."""
    stack, runs, stages = pure_noise(), lines_on_noise(seed), (*EARLY, None)
    parts = ((stack.x_val, stack.y_val), (stack.x_test, stack.y_test))
    return [np.array([mse(runs, x, y, epoch) for epoch in stages]) for x, y in parts]


@control("when to stop", "A/A", "keras-post/early-stopping-helps")
def stop_twice():
    """Stop linear models on pure noise by validation error, twice, with other initial weights."""
    return tuple(chosen(val.T, risk.T) for val, risk in (noise_path(1), noise_path(0)))


@control("when to stop", "known effect", "keras-post/early-stopping-helps", cheap=True)
def stop_on_noise():
    """Stop linear models on pure noise: the end is least squares with an excess risk near 25, the start is better."""
    val, risk = noise_path()
    return chosen(val.T, risk.T), risk[-1]


@control("when to stop", "known effect", "generalization-thread/end-is-overfit", cheap=True)
def end_on_noise():
    """Follow the same training: the risk at its end is far above the lowest on the way in every run."""
    _, risk = noise_path()
    return risk[-1] > 1.1 * risk.min(axis=0), None


# Smoothness ----------------------------------------------------------------------------------------------------------


def variation(weights):
    """Return the total variation of the curve on [0, 10], (M,)."""
    curve = predict_many(post_network, weights, np.linspace(0, 10, 500)[:, None])[..., 0].astype(float)
    return np.abs(np.diff(curve, axis=1)).sum(axis=1)


@control("smoothness", "A/A", "generalization-thread/small-initial-weights-make-smoother")
def variation_twice():
    """Draw the curve of the 64-64 network twice, with other initial weights and batch orders."""
    return variation(post_runs(1).weights), variation(post_runs(0).weights)


@control("smoothness", "known effect", "generalization-thread/l2-makes-smoother", cheap=True)
def half_the_slope():
    """Halve the output weights: half the slope everywhere, a ratio of one half."""
    weights = post_runs().weights
    return variation([*weights[:-2], weights[-2] / 2, weights[-1] / 2]), variation(weights)


# Batch norm ----------------------------------------------------------------------------------------------------------


@control("batch norm", "A/A", "keras-post/batch-norm-lowers-validation-loss")
def batch_norm_twice():
    """Train the post's network with batch norm twice, with other initial weights and batch orders."""
    stack = posts()
    return tuple(mse(post_runs(seed, True), stack.x_val, stack.y_val) for seed in (1, 0))


@control("batch norm", "known effect", "keras-post/batch-norm-lowers-validation-loss")
def beyond_the_stable_rate():
    """Use SGD at a rate above 2 over the plain network's curvature: it cannot train, and batch norm can."""
    stack, sgd = posts(), {"optimizer": "sgd", "learning_rate": 0.02}
    builds = (functools.partial(post_network, batch_norm=on) for on in (True, False))
    return tuple(mse(fit(build, stack, 200, **sgd), stack.x_val, stack.y_val) for build in builds)


@control("batch norm", "cause", "keras-post/batch-norm-lowers-validation-loss", cheap=True)
def averages_catch_up():
    """Stop the weights and let the averages, which the text calls late, go on for 200 epochs."""
    stack, runs = posts(), post_runs(batch_norm=True)
    plain = mse(post_runs(), stack.x_val, stack.y_val)
    build = functools.partial(post_network, batch_norm=True)
    later = fit(build, stack, 200, seed=1, learning_rate=0.0, initial_weights=runs.weights)
    return tuple(mse(r, stack.x_val, stack.y_val) - plain for r in (runs, later))


# Deep with batch norm ------------------------------------------------------------------------------------------------


def deep_error(batch_norm, seed=0, scale=1.0):
    """Return the test error in points of 8 x 64 units on MNIST-1D, initial weights scaled, (20,)."""
    stack = Dataset.stack([data.mnist1d(1000, n_test=2000, seed=s) for s in seeds(20, 6)])
    build = functools.partial(models.mlp, (40,), 10, hidden=(64,) * 8, batch_norm=batch_norm)
    begin = [w * scale if w.ndim == 3 else w for w in fit(build, stack, 0, seed).weights]
    sgd = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 50, "initial_weights": begin}
    runs = fit(build, stack, 20, seed, **sgd)
    return np.where(runs.diverged, 90.0, 100 * (1 - runs.evaluate(stack.x_test, stack.y_test)["accuracy"]))


@control("deep with batch norm", "A/A", "batch-norm/lowers-test-error")
def deep_twice():
    """Train the 8 x 64 network with batch norm twice, with other initial weights and batch orders."""
    return deep_error(True, 1), deep_error(True, 0)


@control("deep with batch norm", "known effect", "batch-norm/lowers-test-error")
def tiny_initial_weights():
    """Multiply the initial kernels by 0.1: no signal passes eight plain layers; batch norm does not see the factor."""
    return deep_error(True, scale=0.1), deep_error(False, scale=0.1)


# Bad minima ----------------------------------------------------------------------------------------------------------

small = functools.partial(models.mlp, (2,), 1, hidden=(40,) * 5, initializer="glorot_normal")


@functools.cache
def spirals():
    """Return noiseless spirals, 66 points and a pool of 134 to attack with."""
    shape = {"turns": 1.5, "radius": 15.35, "kind": "fermat", "even": True, "n_test": 2000}
    return [data.split(data.spirals(200, seed=s, **shape), 134, s) for s in seeds(N, 7)]


@functools.cache
def minima(share, flipped, seed=0):
    """Return networks after 1,500 full-batch steps on attacked spirals: weights, data, test accuracy and clean loss."""
    stack = Dataset.stack([landscape.attacked(s, share, flipped=flipped) for s in spirals()])
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.005, 1500))
    runs = fit(small, stack, 1500, seed, optimizer=adam, batch_size=stack.x_train.shape[1])
    accuracy = runs.evaluate(stack.x_test, stack.y_test)["accuracy"]
    clean = {name: runs.history[f"val_{name}"][:, -1].astype(float) for name in ("loss", "accuracy")}
    return SimpleNamespace(weights=runs.weights, stack=stack, test=accuracy, loss=clean["loss"], fit=clean["accuracy"])


@control("bad minima", "A/A", "flat-minima/no-loss-reason-for-good")
def good_twice():
    """Train the control with true labels twice, with other initial weights."""
    return minima(0.5, False, 1).loss, minima(0.5, False, 0).loss


@control("bad minima", "known effect", "flat-minima/bad-minima-exist")
def two_wrong_to_one():
    """Attack with a share of 2/3: in any neighbourhood two labels of three are wrong, so most answers must be too."""
    found = minima(2 / 3, True)
    return (found.fit == 1) & (found.test < 0.53), None


@control("bad minima", "cause", "flat-minima/bad-minima-exist")
def true_labels():
    """Give the attack points their true labels: what makes a minimum bad is the labels, not the further points."""
    fewer = minima(0.0, True).test
    return fewer - minima(0.5, True).test, fewer - minima(0.5, False).test


# Flatness ------------------------------------------------------------------------------------------------------------


def area(found, seed=0):
    """Return the area under clean training accuracy against the relative size of a perturbation, (M,)."""
    ways = landscape.directions(small, found.weights, 10, seed=seed)
    sizes, stack = np.linspace(0, 0.5, 11), found.stack
    accuracy = landscape.along(small, found.weights, ways, sizes, stack.x_val, stack.y_val)["accuracy"]
    return np.trapezoid(accuracy.mean(axis=1), sizes, axis=1)


@control("flatness", "A/A", "flat-minima/good-survive-perturbation")
def area_twice():
    """Measure the robustness of the control with true labels twice, with other initial weights and directions."""
    return area(minima(0.5, False, 1), 1), area(minima(0.5, False, 0), 0)


@control("flatness", "known effect", "flat-minima/good-is-nearly-constant", cheap=True)
def far_apart():
    """Tell two blobs apart that are 12 standard deviations apart: a perturbation of 5 % moves no boundary that far."""
    sets = []
    for seed in seeds(N, 8):
        rng = np.random.default_rng(seed)
        labels = np.arange(100) % 2
        x = rng.normal(size=(100, 2)) + 12 * labels[:, None] * np.array([1.0, 0.0]) - np.array([6.0, 0.0])
        sets.append(data.split(Dataset(x_train=x, y_train=labels, task="binary", name="blobs"), 50, seed))
    stack = Dataset.stack(sets)
    weights = fit(small, stack, 200, batch_size=50, learning_rate=0.005).weights
    ways = landscape.directions(small, weights, 10, seed=0)
    found = landscape.along(small, weights, ways, np.array([0.0, 0.05]), stack.x_train, stack.y_train)["accuracy"]
    return (found[:, :, 0] - found[:, :, 1]).mean(axis=1), None


@control("flatness", "known effect", "flat-minima/good-have-wider-margins")
def inputs_doubled():
    """Double the inputs and halve the first kernel: the same function of the points, every margin twice as wide."""
    found, ways = minima(0.5, False), measures.compass(16)
    x = found.stack.x_val
    double = [found.weights[0] / 2, *found.weights[1:]]
    wide = measures.margins(small, double, 2 * x, directions=ways, reach=6.0, looks=15, halvings=8)
    narrow = measures.margins(small, found.weights, x, directions=ways, reach=3.0, looks=15, halvings=8)
    return tuple(np.median(np.where(np.isinf(far), end, far), axis=1) for far, end in ((wide, 6.0), (narrow, 3.0)))


# Basins --------------------------------------------------------------------------------------------------------------


def per_parameter(build, weights, x, y, kind, seed, **options):
    """Return log10 of the basin's volume per parameter, (M,)."""
    ways = landscape.directions(build, weights, 32, kind, seed=seed)
    radii = measures.crossing_radii(build, weights, ways, x, y, **options)
    n = landscape.dimension(build, kind)
    return measures.basin_volume(radii, n).estimate / n


@control("basins", "A/A", "flat-minima/bad-basins-are-smaller")
def directions_twice():
    """Measure the same minima along 32 random directions, and along 32 others."""
    found = minima(0.5, False)
    sides = (found.stack.x_val, found.stack.y_val, "filter")
    return tuple(per_parameter(small, found.weights, *sides, seed, start=0.005) for seed in (1, 0))


@control("basins", "known effect", "flat-minima/bad-basins-are-smaller", cheap=True)
def curvature_times_four():
    """Double the inputs of linear models: four times the curvature, so half the radius, 0.301 decades a parameter."""
    rng = np.random.default_rng(seeds(1, 9)[0])
    x, zero = rng.normal(size=(N, 200, INPUTS)), [np.zeros((N, INPUTS, 1)), np.zeros((N, 1))]
    y = np.zeros((N, 200, 1))
    ways = [rng.normal(size=(N, 32, INPUTS, 1)), np.zeros((N, 32, 1))]
    radii = [measures.crossing_radii(straight, zero, ways, scale * x, y, threshold=0.1) for scale in (1, 2)]
    return tuple(measures.basin_volume(r, INPUTS).estimate / INPUTS for r in radii)


# XOR -----------------------------------------------------------------------------------------------------------------


def blobs(count, offset, spread=0.25):
    """Return XOR data, one set a network."""
    return Dataset.stack([data.xor(100, spread, seed, n_test=4) for seed in seeds(count, offset)])


def xor_network(width):
    """Return the builder of a network with one hidden layer."""
    return functools.partial(models.mlp, (2,), 1, hidden=(width,))


def xor_fit(stack, width, seed=0, start=None, **options):
    """Train as in the notebook; return the runs, and which of them converge."""
    recipe = {"learning_rate": 0.1, "batch_size": 100, "initial_weights": start} | options
    runs = fit(xor_network(width), stack, 500, seed, **recipe)
    return runs, converged(runs.weights, stack, width)


def converged(weights, stack, width):
    """Return whether each network is at most one point in a hundred worse than the class of the nearest centre."""
    right = ((predict_many(xor_network(width), weights, stack.x_train)[..., 0] > 0) == stack.y_train).mean(axis=1)
    rule = ((np.prod(stack.x_train, axis=-1) < 0) == stack.y_train).mean(axis=1)
    return right >= rule - 0.01 - 1e-9


@control("XOR", "A/A", "xor-thread/more-units-more-reliable")
def two_units_twice():
    """Train two hidden units twice, with points and initial weights of their own."""
    return xor_fit(blobs(1000, 10), 2, 1)[1], xor_fit(blobs(1000, 11), 2)[1]


@control("XOR", "known effect", "xor-thread/four-units-converge-reliably", cheap=True)
def many_units():
    """Train 64 hidden units: every blob activates about half of them, and the task is linear in so many half planes."""
    return xor_fit(blobs(500, 12), 64)[1], None


@control("XOR", "known effect", "xor-thread/signs-decide", cheap=True)
def twins_and_opposites():
    """Give all weights one magnitude: units of equal signs stay one unit and cannot solve XOR; opposite ones can."""
    runs = 20
    twins, opposites = [[-1, 1], [-1, 1]], [[-1, 1], [1, -1]]
    units = np.array([twins, opposites, [[1, 1], [1, 1]], [[1, 1], [-1, -1]]])  # (pattern, unit, input)
    vote = np.array([1, 1, -1, -1])[:, None, None] * np.ones((4, 2, 1))
    zero = np.zeros((4 * runs, 3))
    start = [np.tile(units.swapaxes(1, 2), (runs, 1, 1)), zero[:, :2], np.tile(vote, (runs, 1, 1)), zero[:, :1]]
    start = [w.astype(np.float32) for w in start]
    won = xor_fit(blobs(4 * runs, 13), 2, start=start)[1].reshape(runs, 4).astype(float)
    guess, held = won[: runs // 2].mean(axis=0), won[runs // 2 :]
    return 1 - np.mean((held - guess) ** 2, axis=1) / held.var(), None


# Inside an XOR network -----------------------------------------------------------------------------------------------


@functools.cache
def eights():
    """Return converged networks with eight units, their initial weights and their data."""
    stack = blobs(400, 14)
    runs, good = xor_fit(stack, 8)
    keep = np.flatnonzero(good)
    return [w[keep] for w in runs.weights], [w[keep] for w in runs.initial_weights], pick(stack, keep)


def pick(stack, members):
    """Return the data sets of some members, stacked."""
    return Dataset.stack([stack.member(i) for i in members])


@control("inside an XOR network", "A/A", "xor-thread/winning-pair-beats-fresh")
def random_pairs_twice():
    """Rewind and train a random pair of the eight units, and another random pair."""
    weights, begin, stack = eights()
    rng, found = np.random.default_rng(seeds(1, 15)[0]), []
    for _ in range(2):
        kept = np.stack([rng.permutation([1, 1, 0, 0, 0, 0, 0, 0]) for _ in weights[0]])
        found.append(xor_fit(stack, 8, start=begin, masks=pruning.unit_masks(weights, kept))[1])
    return tuple(found)


@control("inside an XOR network", "known effect", "xor-thread/pruned-path-suffices", cheap=True)
def two_units_and_six_idle():
    """Add six idle units to converged pairs: two units suffice by construction."""
    stack = blobs(1500, 16)
    runs, good = xor_fit(stack, 2)
    keep = np.flatnonzero(good)
    w1, b1, w2, b2 = (w[keep] for w in runs.weights)
    rng = np.random.default_rng(seeds(1, 17)[0])
    idle = rng.normal(size=(len(keep), 2, 6)).astype(np.float32)
    order = np.stack([rng.permutation(8) for _ in keep])[:, None]
    wide = [np.concatenate([w1, idle], axis=2), np.pad(b1, ((0, 0), (0, 6)))[:, None]]
    wide = [np.take_along_axis(w, order, axis=2) for w in wide]
    out = np.take_along_axis(np.pad(w2, ((0, 0), (0, 6), (0, 0))), order.swapaxes(1, 2), axis=1)
    return some_pair([wide[0], wide[1][:, 0], out, b2], pick(stack, keep)), None


def some_pair(weights, stack):
    """Return whether any two of eight units solve the task as they are, (M,)."""
    pairs = np.array([[k in (i, j) for k in range(8)] for i in range(8) for j in range(i)], np.float32)
    kept = [pruning.apply(weights, pruning.unit_masks(weights, np.tile(p, (len(weights[0]), 1)))) for p in pairs]
    return np.any([converged(w, stack, 8) for w in kept], axis=0)


# Tickets -------------------------------------------------------------------------------------------------------------

digits_net = functools.partial(models.mlp, (40,), 10, hidden=(100, 100))


@control("tickets", "A/A", "lottery/beats-random-mask")
def random_masks_twice():
    """Keep a tenth of the weights at random, and another tenth."""
    stack = Dataset.stack([data.mnist1d(2000, n_test=2000, seed=s) for s in seeds(20, 18)])
    begin = fit(digits_net, stack, 0).weights
    tenth = pruning.prune_by_magnitude(begin, pruning.dense_masks(begin), 0.9, 0.5)
    return tuple(ticket_accuracy(digits_net, stack, begin, pruning.random_masks(tenth, seed), 50) for seed in (1, 0))


def ticket_accuracy(build, stack, begin, masks, epochs):
    """Return the test accuracy in points after training under a mask, (M,)."""
    adam = {"learning_rate": 0.003, "batch_size": 100}
    runs = fit(build, stack, epochs, initial_weights=begin, masks=masks, **adam)
    return 100 * runs.evaluate(stack.x_test, stack.y_test)["accuracy"].astype(float)


@control("tickets", "known effect", "lottery/ticket-beats-dense", cheap=True)
def the_right_mask():
    """Cut off the 46 of 50 inputs that do not matter: this mask knows what the dense network has to find out."""
    sets = []
    for seed in seeds(20, 19):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(1200, INPUTS))
        y = (x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] > 0).astype(int)
        part = {"x_train": x[:200], "y_train": y[:200], "x_test": x[200:], "y_test": y[200:]}
        sets.append(Dataset(**part, task="binary", name="four inputs"))
    stack, build = Dataset.stack(sets), functools.partial(models.mlp, (INPUTS,), 1, hidden=(64, 64))
    begin = fit(build, stack, 0).weights
    dense = pruning.dense_masks(begin)
    right = [dense[0] * (np.arange(INPUTS) < 4)[:, None].astype(dense[0].dtype), *dense[1:]]
    return tuple(ticket_accuracy(build, stack, begin, mask, 50) for mask in (right, None))
