"""Print a SHA-256 digest of a dozen small runs, so that a change that must not touch a bit can show that it does not.

Usage, from the checkout whose ``helpers`` is meant (it goes first on the path)::

    python tools/digest.py > before.txt    # at the parent commit
    python tools/digest.py | diff before.txt -

Only public names are used, so that the same file serves both commits. Digests agree between two commits on one
machine; between machines they may differ.
"""

import hashlib
import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ.get("DIGEST_ROOT", str(Path(__file__).resolve().parents[1])))

import numpy as np

from helpers import Dataset, data, fit_many, landscape, measures, models, predict_many, pruning
from helpers._tensorflow import keras

LINE = data.split(data.line(n=42, noise=1.0, seed=5), 9, seed=1)
IMAGES = data.mnist1d(60, n_val=20, n_test=30, seed=1)


def arrays_of(runs):
    """Return every array of a run in a fixed order."""
    found = [runs.history[name] for name in sorted(runs.history)] + [runs.epochs, runs.diverged]
    found += runs.initial_weights + runs.weights
    return found + [w for epoch in sorted(runs.snapshots) for w in runs.snapshots[epoch]]


def digest(arrays):
    """Return the digest of arrays, shapes and types included."""
    total = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array)
    return total.hexdigest()[:32]


def convolutional():
    """Return a small convolutional network with batch norm and pooling."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((40,)),
            layers.Reshape((40, 1)),
            layers.Conv1D(4, 5, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling1D(2),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def cases():
    """Yield (name, arrays) of every case."""
    plain = models.mlp((1,), 1, hidden=(16, 16))
    yield "line", arrays_of(fit_many(plain, LINE, members=23, epochs=7, seed=3, snapshots=(0, 4)))
    stack = Dataset.stack([data.line(n=20, noise=1.0, seed=i) for i in range(7)])
    yield (
        "stacked",
        arrays_of(fit_many(plain, stack, members=7, epochs=5, batch_size=8, record_every=2)),
    )
    full = fit_many(
        plain,
        LINE,
        members=5,
        epochs=9,
        batch_size=64,
        optimizer="sgd",
        learning_rate=np.linspace(0, 0.01, 5),
    )
    yield "full batch", arrays_of(full)
    l2 = models.mlp((1,), 1, hidden=(8,), l2=0.01, dropout=0.3)
    vary = {"l2": np.geomspace(1e-4, 1, 6), "dropout": np.linspace(0, 0.5, 6)}
    yield "penalty and dropout", arrays_of(fit_many(l2, LINE, members=6, epochs=6, vary=vary))
    norm = models.mlp((40,), 10, hidden=(12, 12), batch_norm=True)
    yield "batch norm", arrays_of(fit_many(norm, IMAGES, members=4, epochs=4, batch_size=25))
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 20)
    momentum = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
    yield "schedule", arrays_of(fit_many(norm, IMAGES, members=3, epochs=3, optimizer=momentum))
    rms = keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True)
    yield (
        "rmsprop",
        arrays_of(fit_many(plain, LINE, members=3, epochs=4, optimizer=rms, shuffle="shared")),
    )
    adamw = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    yield (
        "adamw",
        arrays_of(fit_many(plain, LINE, members=3, epochs=4, optimizer=adamw, shuffle=False)),
    )
    conv = fit_many(convolutional, IMAGES, members=3, epochs=3, batch_size=16)
    yield "convolution", arrays_of(conv)
    masks = pruning.prune_by_magnitude(conv.weights, pruning.dense_masks(conv.weights), 0.5)
    yield "masks", arrays_of(fit_many(convolutional, IMAGES, members=3, epochs=2, masks=masks))
    xor = data.xor(n=20, seed=2)
    tiny = fit_many(
        models.mlp((2,), 1, hidden=(2,)), xor, members=300, epochs=30, learning_rate=0.1
    )
    yield "xor", arrays_of(tiny)
    yield (
        "predict",
        [predict_many(plain, full.weights, np.linspace(0, 1, 40, dtype=np.float32)[:, None])],
    )
    scored = conv.evaluate(IMAGES.x_test, IMAGES.y_test)
    yield "evaluate", [scored[name] for name in sorted(scored)] + [conv.predict(IMAGES.x_test)]
    pair, weights = models.mlp((2,), 1, hidden=(2,)), [w[:10] for w in tiny.weights]
    yield "margins", [measures.margins(pair, weights, xor.x_train)]
    chosen = landscape.directions(pair, weights, 6, seed=4)
    yield (
        "along",
        list(landscape.along(pair, weights, chosen, [0.1, 0.5], xor.x_train, xor.y_train).values()),
    )
    radii = measures.crossing_radii(pair, weights, chosen, xor.x_train, xor.y_train, threshold=1.0)
    yield "radii", list(radii) if isinstance(radii, tuple) else [radii]
    attacked = landscape.attacked(data.split(xor, 8, seed=1), 0.25)
    yield "data", [attacked.x_train, attacked.y_train, IMAGES.x_train, LINE.x_train]


if __name__ == "__main__":
    for name, arrays in cases():
        print(f"{digest(arrays)}  {name}", flush=True)
