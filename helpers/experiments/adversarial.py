"""How little it takes to fool a network that classifies digits, and how much it would take to fool a neighbour.

"Adversarial examples show that neural networks can catastrophically fail", says a comment on the thread *Why can neural
networks generalize at all?* [generalization-thread], and "you can fool neural networks even by changing only some
pixels". Distances to a network's boundary are measured from above [moosavi2016]; pixels are chosen one after the other,
each the best of all pixels set to black or white, so that the shares fooled are lower bounds. Digits are drawn anew for
each replicate from a pool of 5,000 MNIST images.
"""

from __future__ import annotations

import numpy as np
import scipy.spatial.distance

from helpers import data
from helpers._base import checks, seeds
from helpers.engine import predict_many
from helpers.experiments.kernels import one_thread
from helpers.experiments.neighbours import answers, blocks, flat, mlp, part, train
from helpers.geometry.measures import margins

FARTHER = 5  # random steps are so many times as long as the way to the boundary


def draw(seed, row, *, train, test, wrong):
    """Return data set ``row``; a share ``wrong`` of its training labels is another class."""
    chosen = seeds.integer(seed, "digits", row)
    one = data.mnist_small(n_train=train, n_test=test, seed=chosen)
    if not wrong:
        return one
    return data.with_label_noise(one, wrong, seeds.integer(seed, "labels", row), other=True)[0]


# ------------------------------------------------------------------------------- pixels


def logits_from(first, weights):
    """Return logits (N, 10) of a network of two hidden layers from the inputs of its first units, (N, H)."""
    _, _, w2, b2, w3, b3 = weights
    return np.maximum(np.maximum(first, 0) @ w2 + b2, 0) @ w3 + b3


def lead(logits, label):
    """Return by how much the label's logit leads the highest other one, (...,); negative: the label is lost."""
    rest = np.delete(logits, label, axis=-1)
    return logits[..., label] - rest.max(axis=-1)


def best_pixel(x, first, label, weights):
    """Return the pixel and the value, 0 or 1, that shrink a label's lead most, for one image x (D,); and that lead."""
    places = np.tile(np.arange(len(x)), 2)
    values = np.repeat(np.float32([0, 1]), len(x))
    changed = first + (values - x[places])[:, None] * weights[0][places]  # (2 D, H)
    leads = lead(logits_from(changed, weights), label)
    best = int(leads.argmin())
    return int(places[best]), float(values[best]), float(leads[best])


@one_thread
def greedy(x, label, weights, most):
    """Return the images after 0 ... ``most`` chosen pixels, and after how many the label is lost.

    Parameters
    ----------
    x : ndarray (D,)
        One image, from 0 to 1.
    label : int
        What the network says of it.
    weights : list of ndarray
        Of a network of two hidden ReLU layers: [kernel, bias] three times.
    most : int
        Pixels; once the label is lost, nothing more is changed.

    Returns
    -------
    images : ndarray (most + 1, D)
    needed : int
        ``most + 1`` where the label is never lost.
    """
    weights = [np.asarray(w, np.float32) for w in weights]
    images, needed = [np.array(x, np.float32)], most + 1
    for count in range(1, most + 1):
        one = images[-1].copy()
        if needed > most:
            at, value, left = best_pixel(one, one @ weights[0] + weights[1], label, weights)
            one[at] = value
            needed = count if left < 0 else needed
        images.append(one)
    return np.array(images), needed


@one_thread
def greedy_neighbour(x, label, train, labels, most):
    """Return after how many pixels the nearest training example of an image x (D,) has another label.

    Pixels are chosen as in `greedy`, each the best of all to bring the nearest example of another class nearer than the
    nearest of its own; ``most + 1`` where that never happens. ``train`` (N, D), ``labels`` (N,).
    """
    x, own = np.array(x, float), labels == label
    apart = np.sum((train - x) ** 2, axis=1)
    for count in range(1, most + 1):
        near, other = (train[np.where(who, apart, np.inf).argmin()] for who in (own, ~own))
        gains = np.stack([(x - value) * (near - other) for value in (0, 1)])  # half of the change
        value, at = np.unravel_index(gains.argmax(), gains.shape)
        apart += (value - train[:, at]) ** 2 - (x[at] - train[:, at]) ** 2
        x[at] = value
        if labels[apart.argmin()] != label:
            return count
    return most + 1


def random_pixels(x, count, generator):
    """Return images (N, D) with so many random pixels turned: white if they were dark, black if they were bright."""
    changed = x.copy()
    for one in changed:
        at = generator.permutation(len(one))[:count]
        one[at] = (one[at] < 0.5).astype(x.dtype)
    return changed


# ------------------------------------------------------------------------------- the experiment


def fooled(seed, n, *, sizes, hidden, rate, batch, arms, digits, measured, pixels, random):
    """How far is the boundary, how many pixels cross it, and what do random changes do?

    Arms, each with its share ``wrong`` of wrong training labels and its ``epochs``, share digits, initial weights and
    order of batches. Of the test digits that the network gets right, the first ``digits`` are attacked by pixels, and
    the first ``measured`` are measured. Replicate: data set and initial weights.

    Returns
    -------
    dict
        (n,) each, with the ending ``_ARM``. ``boundary, other``: median distances to the boundary and to the nearest
        training digit of another class than the digit's own; ``ratio``: median of the one over the other.
        ``flipped_far``: share that changes class at five times the distance to the boundary in a random direction.
        ``best_P``: share that changes class by the P best pixels or fewer, for P in ``pixels``; ``random_P``: the same
        by P random pixels turned, for P in ``random``. ``fools`` bool: at least one digit is lost by five pixels or
        fewer; ``verified`` bool: and the network, asked again with the changed image, says another class than before,
        when it was right. ``accuracy``, ``fitted`` (training labels): percent. Without ending, ``neighbour_P``: of the
        first ``digits`` that the nearest training digit names rightly, the share whose nearest has another class after
        the P pixels, or fewer, that are the best to fool *it*; ``neighbour_boundary``: for the first ``measured`` of
        those, the median distance to where the nearest neighbour changes its answer, measured from below.
    """

    def work(seed, rows):
        found = {}
        for name, arm in arms.items():
            sets = [draw(seed, row, **sizes, wrong=arm["wrong"]) for row in rows]
            model = mlp("digits", hidden)
            runs = train(seed, sets, model, epochs=arm["epochs"], rate=rate, batch=batch)
            x, labels = part(sets, "x_test"), part(sets, "y_test")
            right = answers(runs, x) == labels
            known = answers(runs, part(sets, "x_train")) == part(sets, "y_train")
            each = []
            for at, row in enumerate(rows):
                weights = [w[at] for w in runs.weights]
                images, names = flat(x[at][right[at]]).astype(np.float32), labels[at][right[at]]
                rng = seeds.generator(seed, "random", row)
                true = draw(seed, row, **sizes, wrong=0.0)
                one = distances(model, weights, true, images[:measured], names[:measured], rng)
                one |= attacked(
                    model, weights, images[:digits], names[:digits], pixels, random, rng
                )
                one |= {"accuracy": 100 * right[at].mean(), "fitted": 100 * known[at].mean()}
                each.append(one)
            found |= {f"{key}_{name}": np.array([one[key] for one in each]) for key in each[0]}
        true = [draw(seed, row, **sizes, wrong=0.0) for row in rows]
        lost = [neighbours_attacked(one, digits, measured, pixels) for one in true]
        return found | {name: np.array([one[name] for one in lost]) for name in lost[0]}

    return blocks(work, seed, n)


def met(boundary):
    """Return distances to the boundary (N,) as they are.

    Raises
    ------
    ValueError
        Where there are none, or the boundary was not met: a network that says one class everywhere has none, and no
        step can be five times as long.
    """
    lost = int(np.sum(~np.isfinite(boundary)))
    if lost or not len(boundary):
        text = "long enough that the network recognises digits and tells them apart"
        received = f"a network whose boundary was not met from {lost} of {len(boundary)} digits"
        remedy = "Train longer: where only one class is ever said, there is no boundary."
        raise ValueError(checks.message("epochs", text, received, remedy))
    return boundary


def distances(model, weights, one, images, names, rng):
    """Return the distances of digits (N, D) to the boundary and to other classes, and what random steps do."""
    stacked = [w[None] for w in weights]
    shaped = images.reshape(-1, 28, 28)
    boundary = met(margins(model, stacked, shaped)[0])
    apart = scipy.spatial.distance.cdist(images, flat(one.x_train))
    apart[names[:, None] == one.y_train] = np.inf
    other = apart.min(axis=1)
    way = rng.standard_normal(images.shape)
    way *= (FARTHER * boundary / np.linalg.norm(way, axis=1))[:, None]
    said = predict_many(model, stacked, shaped + way.reshape(shaped.shape), progress=False)[0]
    return {
        "boundary": np.median(boundary), "other": np.median(other), "ratio": np.median(boundary / other),
        "flipped_far": np.mean(said.argmax(axis=1) != names),
    }  # fmt: skip


def attacked(model, weights, images, names, pixels, random, rng):
    """Return which shares of digits (N, D) change class by chosen and by random pixels, and one instance, verified."""
    most, stacked = max(pixels), [w[None] for w in weights]
    found = [greedy(x, name, weights, most) for x, name in zip(images, names, strict=True)]
    needed = np.array([count for _, count in found])
    shares = {f"best_{p}": np.mean(needed <= p) for p in pixels}
    for p in random:
        said = say(model, stacked, random_pixels(images, p, rng))
        shares[f"random_{p}"] = np.mean(said != names)
    easiest = int(needed.argmin())
    before, after = images[easiest], found[easiest][0][-1]
    ends = say(model, stacked, np.stack([before, after]))
    few = np.sum(before != after) <= 5 and needed[easiest] <= 5
    shares["fools"] = bool(needed[easiest] <= 5)
    shares["verified"] = bool(
        few and ends[0] == names[easiest] and ends[1] != names[easiest]
        and after.min() >= 0 and after.max() <= 1
    )  # fmt: skip
    return shares


@one_thread
def neighbours_attacked(one, digits, measured, pixels):
    """Return which shares of the digits that the nearest neighbour names rightly it loses; how far its border is."""
    train, new = flat(one.x_train), flat(one.x_test)
    apart = scipy.spatial.distance.cdist(new, train)
    known = np.flatnonzero(one.y_train[apart.argmin(axis=1)] == one.y_test)
    borders = [border(apart[k], train, one.y_train != one.y_test[k]) for k in known[:measured]]
    chosen = known[:digits]
    needed = np.array([
        greedy_neighbour(new[k], one.y_test[k], train, one.y_train, max(pixels)) for k in chosen
    ])  # fmt: skip
    shares = {f"neighbour_{p}": np.mean(needed <= p) for p in pixels}
    return shares | {"neighbour_boundary": np.median(borders)}


def border(apart, train, other):
    """Return a lower limit of the distance from a point to where its nearest neighbour has another class.

    ``apart`` (N,): its distances to the training points (N, D), its nearest among them; ``other`` (N,): other classes.
    To get there it must come nearer to some other point than to that nearest one: the nearest of these planes.
    """
    near = apart.argmin()
    between = np.linalg.norm(train[other] - train[near], axis=1)
    return np.min((apart[other] ** 2 - apart[near] ** 2) / (2 * between))


def say(model, weights, images):
    """Return the class that one network, with weights (1, ...) each, gives to images (N, D), (N,)."""
    shaped = images.reshape(-1, 28, 28)
    return predict_many(model, weights, shaped, progress=False)[0].argmax(axis=-1)
