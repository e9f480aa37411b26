"""Three side questions about flat minima, for the results: curvature in regression, the recipe alone, maps by t-SNE.

Sources: Wu et al. [wu2017] on the Hessian; the code of Huang et al. [huang2019], whose good and bad networks differ in
their recipe too, and whose map is made by t-SNE [vandermaaten2008].
"""

from __future__ import annotations

import functools

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.manifold import TSNE

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.experiments import basins_ranks, minima
from helpers.geometry import landscape, measures

TOLERANCE = 1.5  # factor within which two training errors count as equal
SIZES = np.linspace(0, 0.5, 11)  # of perturbations, relative to each unit's weights


def regression(seed, n, *, inputs, points, new, levels, hidden, steps, rate, target):
    """In regression, at equal training error: has the network with the smaller Hessian the smaller excess risk?

    The target is linear in ``inputs`` inputs, without noise. Each network also learns as many further points, whose
    targets are wrong by normal errors of a standard deviation from ``levels``. Replicate: points and initial weights.

    Returns
    -------
    dict
        ``trace, risk`` (n, K): trace of the Gauss-Newton matrix on the clean points, mean squared error on new ones,
        for each of ``constants["level"]``; ``trace_halves, risk_halves`` (n, K, 2): on halves of the points;
        ``similar`` (n,) bool: all training errors within a factor of 1.5 of the target.
    """
    model = functools.partial(models.mlp, (inputs,), 1, hidden=tuple(hidden))
    kept = minima.looks(steps)
    found: dict[str, list] = {
        name: [] for name in ("trace", "risk", "trace_halves", "risk_halves", "near")
    }
    drawn = [_linear(seed, row, inputs, points, new) for row in range(n)]
    for level in levels:
        sets = [
            data.Dataset(
                x_train=x[: 2 * points],
                y_train=np.concatenate([y[:points], y[points : 2 * points] + level * errors])[:, None],
                x_val=x[:points], y_val=y[:points, None], task="regression", name="linear",
            )
            for x, y, errors in drawn
        ]  # fmt: skip
        runs = fit_many(
            model, data.Dataset.stack(sets), members=n, epochs=steps, batch_size=2 * points, learning_rate=rate,
            snapshots=kept, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        loss = runs.history["val_loss"][:, np.searchsorted(runs.epochs, kept)]
        place = minima.nearest_look(loss, target)
        weights = runs.weights_at(np.array(kept)[place])
        gap = np.abs(np.log(np.maximum(loss[np.arange(n), place], 1e-12) / target))
        found["near"].append(gap <= np.log(TOLERANCE))
        x = np.stack([x for x, _, _ in drawn])
        y = np.stack([y for _, y, _ in drawn])
        half = points // 2
        traces = [
            measures.gauss_newton_curvatures(model, weights, x[:, part], y[:, part, None]).sum(
                axis=1
            )
            for part in (slice(0, points), slice(0, half), slice(half, points))
        ]
        errors = (
            predict_many(model, weights, x[:, 2 * points :], progress=False)[..., 0]
            - y[:, 2 * points :]
        ) ** 2
        found["trace"].append(traces[0])
        found["trace_halves"].append(np.stack(traces[1:], axis=1))
        found["risk"].append(errors.mean(axis=1))
        found["risk_halves"].append(
            np.stack([part.mean(axis=1) for part in np.split(errors, 2, axis=1)], axis=1)
        )
    near = np.all(found.pop("near"), axis=0)
    arrays = {name: np.stack(values, axis=1).astype(np.float32) for name, values in found.items()}
    return arrays | {"similar": near, "constants": {"level": np.array(levels, float)}}


def _linear(seed, row, inputs, points, new):
    """Return x (2 N + new, D), y and the wrong points' errors (N,): a linear target of variance 1."""
    generator = seeds.generator(seed, "linear", row)
    x = generator.standard_normal((2 * points + new, inputs)).astype(np.float32)
    slope = generator.standard_normal(inputs)
    y = (x @ (slope / np.linalg.norm(slope))).astype(np.float32)
    return x, y, generator.standard_normal(points).astype(np.float32)


def recipe_alone(seed, n, *, epochs, steps, directions):
    """How much of the difference between good and bad does the change of recipe alone make?

    The good network of the code: RMSprop 0.01, batches of 33, L2. The bad one goes on from there with RMSprop 0.001,
    full batch, no L2, and attack points. The third goes on in the same way without attack points. Replicate: data set
    and initial weights.

    Returns
    -------
    dict
        ``kept_ARM`` (n,): accuracy on clean points averaged over perturbations of relative size 0 to 0.5, over that
        without one, for the arms good, recipe, attacked; ``lost_recipe, lost_attacked`` (n,): what each loses against
        good; ``lost_tenth`` (n,): lost_recipe minus a tenth of lost_attacked; ``fits`` (n,) bool: all three fit 95 % of
        their clean points.
    """
    sets = [minima.draw("spirals", seed, row) for row in range(n)]
    model = minima.network("spirals")
    hidden = minima.problem("spirals").hidden
    punished = functools.partial(
        models.mlp, (2,), 1, hidden=hidden, initializer="glorot_normal", l2=0.001
    )
    clean = minima.asked(sets, 0.0)
    good = fit_many(
        punished, clean, members=n, epochs=epochs, batch_size=33, optimizer="rmsprop", learning_rate=0.01,
        record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    weights = {"good": good.weights}
    for arm, share in (("recipe", 0.0), ("attacked", 0.5)):
        stack = minima.asked(sets, share)
        runs = fit_many(
            model, stack, members=n, epochs=steps, batch_size=stack.x_train.shape[1], optimizer="rmsprop",
            learning_rate=0.001, initial_weights=good.weights, record_every=steps, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        weights[arm] = runs.weights
    found, fits = {}, np.ones(n, bool)
    for arm, own in weights.items():
        fits &= minima.correct("spirals", own, clean.x_val, clean.y_val) >= 0.95
        values = []
        for row in range(n):
            one = [w[row : row + 1] for w in own]
            ways = landscape.directions(
                model, one, directions, "filter", seed=seeds.integer(seed, "wiggles", row)
            )
            curve = landscape.along(
                model, one, ways, SIZES, clean.x_val[row : row + 1], clean.y_val[row : row + 1]
            )["accuracy"].mean(axis=1)[0]
            values.append(np.trapezoid(curve, SIZES) / SIZES[-1] / curve[0])
        found[f"kept_{arm}"] = np.array(values)
    found["lost_recipe"] = found["kept_good"] - found["kept_recipe"]
    found["lost_attacked"] = found["kept_good"] - found["kept_attacked"]
    found["lost_tenth"] = found["lost_recipe"] - 0.1 * found["lost_attacked"]
    return {key: value.astype(np.float32) for key, value in found.items()} | {"fits": fits}


def maps(seed, n, *, name, networks, perplexities, draws, steps=None):
    """Does a t-SNE map keep the distances between networks, whatever its settings?

    Good and bad minima of one data set, from other initial weights each; on a map, the distances between a good and a
    bad one. Replicate: data set.

    Returns
    -------
    dict
        ``kept`` (n, P, D): rank correlation of those distances with the distances of the weights, for each perplexity
        of ``constants["perplexity"]`` and each of ``draws`` seeds of t-SNE; ``spread`` (n,): largest minus smallest.
    """
    sets = [minima.draw(name, seed, row) for row in range(n) for _ in range(networks)]
    groups = []
    for flipped in (False, True):
        stack = minima.asked(sets, 0.5, flipped=flipped)
        found = basins_ranks.stop(seeds.integer(seed, str(flipped)), name, sets, stack, steps=steps)
        groups.append(np.concatenate([w.reshape(len(sets), -1) for w in found.weights], axis=1))
    kept = np.empty((n, len(perplexities), draws))
    upper = np.triu_indices(2 * networks, 1)
    between = (upper[0] < networks) & (upper[1] >= networks)
    for row in range(n):
        own = slice(row * networks, (row + 1) * networks)
        rows = np.concatenate([group[own] for group in groups])
        truth = pdist(rows)[between]
        for i, perplexity in enumerate(perplexities):
            for draw in range(draws):
                state = seeds.integer(seed, "map", row, draw) % 2**31
                flat = TSNE(perplexity=perplexity, init="random", random_state=state).fit_transform(
                    rows
                )
                kept[row, i, draw] = spearmanr(truth, pdist(flat)[between]).statistic
    spread = kept.max(axis=(1, 2)) - kept.min(axis=(1, 2))
    return {
        "kept": kept.astype(np.float32),
        "spread": spread.astype(np.float32),
        "constants": {"perplexity": np.array(perplexities, float)},
    }
