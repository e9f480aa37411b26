"""Which frequencies does a network learn first? Sines of equal height, added up, on an interval.

Rahaman et al. [rahaman2019] call it the spectral bias: deep ReLU networks learn low frequencies first. Their picture is
a mean over runs without a spread; here each run counts. A target is the sum of sines of the frequencies k, one full
wave of frequency 1 on [0, 1), each with a random phase; a frequency is *learned* at the first look at which the
network's own wave of that frequency differs from the target's by at most a fifth of its height.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments.random_labels import looks_of

POINTS = 200  # evenly spaced on [0, 1), the last one left out, so that sines do not mix
CLOSE = 0.2  # of a wave's height


def places():
    """Return the points, (N, 1) float32."""
    return (np.arange(POINTS) / POINTS).astype(np.float32)[:, None]


def waves(values, frequencies):
    """Return the complex heights (..., K) of sines of these frequencies in values (..., N) at `places`.

    Examples
    --------
    >>> abs(waves(3 * np.sin(2 * np.pi * 5 * places()[:, 0] + 1), [4, 5])).round(4).tolist()
    [0.0, 3.0]
    """
    angles = 2 * np.pi * np.outer(np.arange(POINTS) / POINTS, frequencies)
    return 2 / POINTS * (np.asarray(values, float) @ np.exp(-1j * angles))


def target(seed, row, frequencies, heights):
    """Return sines of random phases, added up, (N,) float64."""
    phases = 2 * np.pi * seeds.generator(seed, "phases", row).random(len(frequencies))
    angles = 2 * np.pi * np.arange(POINTS)[:, None] / POINTS * np.array(frequencies) + phases
    return np.sin(angles) @ np.asarray(heights, float)


def first_learned(far, looks):
    """Return the first look at which each distance (R, L, K) is at most `CLOSE`, (R, K), and whether that comes."""
    close = far <= CLOSE
    there = close.any(axis=1)
    return np.where(there, np.array(looks)[close.argmax(axis=1)], looks[-1]), there


def order(seed, n, *, frequencies, heights, hidden, activation, steps, rate):
    """In which order does a network learn the frequencies of its target?

    Full batches, Adam. Replicate: phases and initial weights.

    Returns
    -------
    dict
        ``learned`` (n, K): step at which each frequency is learned, the last one where that does not come, ``there``
        (n, K) bool: whether it comes; ``first, last`` (n,): steps for the lowest and the highest frequency;
        ``neighbours`` (n,): the smallest ratio of the steps of a frequency to those of the next lower one; ``there_low,
        there_high`` (n,) bool; ``frequency`` (n, K): the frequencies, for rank correlations; ``far`` (n, L, K):
        distance of the network's wave from the target's over its height, at ``constants["looks"]``.
    """
    looks = looks_of(steps)
    wanted = np.stack([target(seed, row, frequencies, heights) for row in range(n)])
    sets = [
        data.Dataset(
            x_train=places(),
            y_train=one[:, None].astype(np.float32),
            task="regression",
            name="waves",
        )
        for one in wanted
    ]
    runs = fit_many(
        models.mlp((1,), 1, hidden=tuple(hidden), activation=activation), data.Dataset.stack(sets), members=n,
        epochs=steps, batch_size=POINTS, learning_rate=rate, shuffle=False, snapshots=looks[:-1],
        record_every=steps, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    said = [runs.predict(places(), epoch=None if look == steps else look)[..., 0] for look in looks]
    goal = waves(wanted, frequencies)
    far = np.abs(waves(np.stack(said, axis=1), frequencies) - goal[:, None]) / np.abs(goal[:, None])
    far = np.where(runs.diverged[:, None, None], np.inf, far)
    learned, there = first_learned(far, looks)
    return {
        "learned": learned.astype(np.float32), "there": there,
        "first": learned[:, 0].astype(np.float32), "last": learned[:, -1].astype(np.float32),
        "neighbours": (learned[:, 1:] / learned[:, :-1]).min(axis=1).astype(np.float32),
        "there_low": there[:, 0], "there_high": there[:, -1],
        "frequency": np.broadcast_to(np.float32(frequencies), learned.shape),
        "far": far.astype(np.float16), "constants": {"looks": np.array(looks, np.int32)},
    }  # fmt: skip
