"""Time `fit_many` against plain Keras on the 64-64 network of the Keras post.

80 points, batch 32, 200 epochs, history with validation, as ``model.fit`` gives it. Both are timed in turn in one run,
because shared machines drift; the machine's rate of matrix products stands beside them. Compiling is timed apart.

    python benchmarks/keras_post.py [--members 1000] [--repeats 3]
"""

import argparse
import statistics
import time

import numpy as np

from helpers import data, fit_many, models
from helpers._tensorflow import keras


def builder():
    """Return the post's network."""
    return models.mlp((1,), 1, hidden=(64, 64))


def seconds(call):
    """Return the wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def plain_fit(points):
    """Train one network as the post does, in Keras."""
    model = builder()
    model.compile(optimizer="adam", loss="mse")
    held = (points.x_val, points.y_val)
    model.fit(points.x_train, points.y_train, epochs=200, batch_size=32, validation_data=held, verbose=0)


def gemm_rate(size=2048):
    """Return the rate of a float32 matrix product in GFLOP/s, best of five."""
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(5)) / 1e9


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    points = data.split(data.line(slope=2, intercept=1, x="grid", high=10), val=0.2)
    keras.utils.set_random_seed(0)
    first = seconds(lambda: fit_many(builder, points, members=1, epochs=1))
    rows = []
    for _ in range(options.repeats):
        one = seconds(lambda: plain_fit(points))
        many = seconds(lambda: fit_many(builder, points, members=options.members, epochs=200))
        rows.append((one, many / options.members, gemm_rate()))
    one, each, rate = (statistics.median(column) for column in zip(*rows, strict=True))
    weights = sum(np.prod(w.shape) for w in builder().get_weights() if w.ndim == 2)
    reached = 6 * weights * 80 * 200 / each / 1e9  # forward, and backward to inputs and weights, of real examples
    ratios = ", ".join(f"{a / b:,.0f}" for a, b, _ in rows)
    print(f"plain fit, one network         {one:10.2f} s")
    print(f"fit_many, per network          {1000 * each:10.2f} ms  ({options.members} members)")
    print(f"first call (compiles)          {first:10.2f} s")
    print(f"plain fit over fit_many        {statistics.median(a / b for a, b, _ in rows):10,.0f}     (each: {ratios})")
    print(f"rate                           {reached:10.1f} GFLOP/s, {100 * reached / rate:.0f} % of sgemm ({rate:.0f})")


if __name__ == "__main__":
    main()
