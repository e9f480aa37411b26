"""The contract of `fit_many`: determinism, pairing, parts, compilation, divergence, dropout, interruption."""

import _thread
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from making import make

from helpers import models
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import api, inference, noise, progress, runtime
from helpers.engine.draws import draw
from helpers.engine.recipe import Recipe, unstack


def small(**options):
    """Return a builder of a little regression network."""
    return lambda: models.mlp((1,), 1, hidden=(8, 8), **options)


def same(a, b, rows=slice(None)):
    """Whether two lists of stacked weights agree bit for bit on the given members."""
    return all(np.array_equal(x[rows], y[rows], equal_nan=True) for x, y in zip(a, b, strict=True))


@pytest.fixture
def narrow(monkeypatch):
    """Make chunks four members wide, so that a few members already make several chunks."""
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 4)


@pytest.mark.compiled
def test_same_call_same_bits(line):
    first, second = (
        api.fit_many(small(dropout=0.3), line, members=3, epochs=4, batch_size=5) for _ in range(2)
    )
    assert same(first.weights, second.weights)
    assert all(np.array_equal(first.history[key], second.history[key]) for key in first.history)
    other = api.fit_many(small(dropout=0.3), line, members=3, epochs=4, batch_size=5, seed=1)
    assert not np.array_equal(first.weights[0], other.weights[0])


PROBE = """
import hashlib, os, sys
if sys.argv[1] == "one": os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[0]])
if sys.argv[1] == "threads":
    import warnings; warnings.simplefilter("ignore")
    import tensorflow as tf; tf.config.threading.set_intra_op_parallelism_threads(4); tf.zeros(1) + 1
import numpy as np
from helpers import models
from helpers.engine import api
from helpers.data import Dataset
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 4)).astype("float32"); y = x @ rng.normal(size=(4, 1)).astype("float32")
data = Dataset(x_train=x, y_train=y, task="regression", name="probe")
runs = api.fit_many(lambda: models.mlp((4,), 1, (64, 64), dropout=0.2), data, members=40, epochs=5)
digest = hashlib.sha256(b"".join(w.tobytes() for w in runs.weights) + runs.history["loss"].tobytes()).hexdigest()
print(digest)
"""


@pytest.mark.slow
def test_same_bits_in_new_processes_on_one_core_two_cores_and_with_foreign_threads():
    root = Path(__file__).parents[2]
    runs = {}
    exec(PROBE.replace("sys.argv[1]", "'all'"), runs)  # this process
    found = {runs["digest"]}
    for mode in ("one", "threads"):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, mode],
            capture_output=True,
            encoding="utf-8",
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.strip())
    assert len(found) == 1


@pytest.mark.compiled
def test_more_members_never_change_the_earlier_ones(line, narrow):
    options = {"epochs": 3, "batch_size": 5}
    many = api.fit_many(small(dropout=0.2), line, members=10, **options)
    for count in (1, 4, 6):
        few = api.fit_many(small(dropout=0.2), line, members=count, **options)
        assert same(few.weights, [w[:count] for w in many.weights])
        assert np.array_equal(few.history["val_loss"], many.history["val_loss"][:count])


def test_a_diverging_member_harms_no_other_and_is_reported(line):
    rates = np.array([0.01, 1e30, 0.01, 0.02])
    runs = api.fit_many(small(), line, members=4, epochs=5, optimizer="sgd", learning_rate=rates)
    calm = api.fit_many(
        small(), line, members=4, epochs=5, optimizer="sgd", learning_rate=[0.01, 0.01, 0.01, 0.02]
    )
    assert runs.diverged.tolist() == [False, True, False, False]
    assert same(runs.weights, calm.weights, [0, 2, 3])
    assert "1 diverged" in repr(runs)


def test_a_member_whose_validation_loss_alone_overflows_is_reported(line):
    far = dataclasses.replace(line, x_val=[[1e30]], y_val=[[0.0]])
    runs = api.fit_many(lambda: models.linear((1,), 1), far, members=2, epochs=2, learning_rate=0.0)
    assert np.isfinite(runs.history["loss"]).all() and np.isfinite(runs.weights[0]).all()
    assert not np.isfinite(runs.history["val_loss"]).any() and runs.diverged.all()


def test_a_loss_that_only_double_precision_holds_is_reported(line, float64):
    high = dataclasses.replace(line, y_train=1e25 * line.y_train, y_val=1e25 * line.y_val)
    runs = api.fit_many(lambda: models.linear((1,), 1), high, members=2, epochs=1)
    assert (
        np.isfinite(runs.weights[0]).all()
        and np.isinf(runs.history["loss"]).all()
        and runs.diverged.all()
    )


@pytest.mark.compiled
def test_parts_equal_the_whole(line, monkeypatch):
    whole = api.fit_many(small(dropout=0.3), line, members=3, epochs=9, batch_size=5)
    snapped = api.fit_many(
        small(dropout=0.3), line, members=3, epochs=9, batch_size=5, snapshots=(0, 2, 7)
    )
    monkeypatch.setattr(runtime, "part_length", lambda *_: 2)
    parts = api.fit_many(small(dropout=0.3), line, members=3, epochs=9, batch_size=5)
    shorter = api.fit_many(small(dropout=0.3), line, members=3, epochs=7, batch_size=5)
    assert same(whole.weights, parts.weights)
    assert same(whole.weights, snapped.weights)
    assert same(snapped.snapshots[7], shorter.weights)
    assert same(snapped.snapshots[0], whole.initial_weights)
    for key in whole.history:
        assert np.array_equal(whole.history[key], parts.history[key])
        assert np.array_equal(whole.history[key][:, :7], shorter.history[key])


@pytest.mark.compiled
def test_a_sweep_compiles_once(line):
    template = keras.optimizers.AdamW(0.01)
    sweep = {
        "l2": np.linspace(0, 0.1, 5),
        "dropout": np.linspace(0, 0.5, 5),
        "learning_rate": np.linspace(0.001, 0.1, 5),
    }
    before = set(runtime._cache)
    for seed, epochs in (
        (0, 2),
        (1, 3),
        (2, 4),
    ):  # new values, new builder, new layer names, new epochs
        varied = {key: values / (seed + 1) for key, values in sweep.items()}
        builder = small(
            l2=0.01 * (seed + 1),
            dropout=0.1 * (seed + 1),
            initializer=["he_normal", "zeros"][seed % 2],
        )
        api.fit_many(
            builder,
            line,
            members=5,
            epochs=epochs,
            batch_size=5,
            optimizer=template,
            vary=varied,
            seed=seed,
        )
    assert len(set(runtime._cache) - before) == 1  # a full cache forgets others


def test_arms_with_one_seed_share_kernels_and_batches(line):
    plain = api.fit_many(small(), line, members=3, epochs=1, batch_size=5, seed=3)
    normed = api.fit_many(small(batch_norm=True), line, members=3, epochs=1, batch_size=5, seed=3)
    dropped = api.fit_many(
        small(dropout=0.5, l2=0.1), line, members=3, epochs=1, batch_size=5, seed=3
    )

    def kernels(runs):
        return [w for w in runs.initial_weights if w.ndim == 3]

    assert same(kernels(plain), kernels(normed))
    assert same(plain.initial_weights, dropped.initial_weights)
    for other in (normed, dropped):
        for a, b in zip(plain.batches(1), other.batches(1), strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_batches_are_permutations_shared_or_stored_as_asked(line):
    options = {"members": 2, "epochs": 3, "batch_size": 5}
    own = api.fit_many(small(), line, **options)
    for epoch in own.batches(1):
        assert [len(rows) for rows in epoch] == [5, 5, 2]
        assert sorted(np.concatenate(epoch)) == list(range(12))
    orders = [np.concatenate(e) for m in (0, 1) for e in own.batches(m)]
    assert len({tuple(order) for order in orders}) == 6
    shared = api.fit_many(small(), line, shuffle="shared", **options)
    assert all(
        np.array_equal(x, y)
        for a, b in zip(shared.batches(0), shared.batches(1), strict=True)
        for x, y in zip(a, b, strict=True)
    )
    stored = api.fit_many(small(), line, shuffle=False, **options)
    assert np.array_equal(np.concatenate(stored.batches(0)[2]), np.arange(12))


def test_initial_weights_follow_keras_distributions():
    count, shape = 1500, (3, 5)

    def drawn(initializer):
        recipe = Recipe(
            keras.Sequential(
                [keras.Input((3,)), keras.layers.Dense(5, kernel_initializer=initializer)]
            )
        )
        return draw(recipe, count, 0)[0]

    k = keras.initializers
    for ours, theirs in [
        ("glorot_uniform", k.GlorotUniform(seed=1)),
        ("he_normal", k.HeNormal(seed=1)),
        ("lecun_uniform", k.LecunUniform(seed=1)),
        (k.RandomNormal(1.0, 2.0), k.RandomNormal(1.0, 2.0, seed=1)),
        (k.TruncatedNormal(0.0, 2.0), k.TruncatedNormal(0.0, 2.0, seed=1)),
        (k.RandomUniform(-2, 3), k.RandomUniform(-2, 3, seed=1)),
        (k.VarianceScaling(2.0, "fan_out", "untruncated_normal"),) * 2,
        (k.Orthogonal(), k.Orthogonal(seed=1)),
    ]:
        mine = drawn(ours)
        assert mine.shape == (count, *shape)
        assert len(np.unique(mine[:, 0, 0])) > count / 2  # members differ
        if isinstance(theirs, k.Orthogonal):
            np.testing.assert_allclose(mine[7] @ mine[7].T, np.eye(3), atol=1e-5)
            continue
        # Keras draws by the fan of one network: draw many of them side by side along a batch of seeds.
        fresh = [type(theirs).from_config({**theirs.get_config(), "seed": s}) for s in range(200)]
        reference = np.concatenate([np.asarray(f(shape)).ravel() for f in fresh])
        pooled = mine.ravel()
        assert abs(pooled.mean() - reference.mean()) < 5 * reference.std() / np.sqrt(reference.size)
        assert abs(pooled.std() / reference.std() - 1) < 5 / np.sqrt(2 * reference.size) + 0.01
        assert np.quantile(pooled, [0, 1]) == pytest.approx(np.quantile(reference, [0, 1]), rel=0.5)


def identity_network(layer):
    """Return a network that is one random layer between inputs and a frozen identity."""

    def builder():
        final = keras.layers.Dense(
            50, use_bias=False, kernel_initializer="identity", trainable=False
        )
        return keras.Sequential([keras.Input((50,)), layer(), layer(), final])

    return builder


def noise_of(layer, count=40):
    """Return the random layers' outputs on ones, (M, steps, B, features), from the loss function's point of view."""
    rows = np.ones((64, 50), np.float32)
    data = Dataset(
        x_train=rows, y_train=np.zeros((64, 50), np.float32), task="regression", name="ones"
    )
    recipe = Recipe(identity_network(layer))
    network, seen = recipe.network(), []
    from helpers._base import seeds
    from helpers._tensorflow import tf
    from helpers.engine.layers import Context

    keys = np.stack([seeds.sequence(0, "dropout", m).generate_state(2) for m in range(count)])
    for step in range(3):
        rates = {i: tf.fill([count], 0.3) for i in (0, 1)}
        source = noise.Source(tf.constant(keys), tf.constant(step, tf.uint32))
        context = Context(True, rates, source)
        x = tf.broadcast_to(data.x_train, [count, 64, 50])
        weights = [tf.eye(50, batch_shape=[count])]
        seen.append(network(x, weights, context).numpy())
    return np.stack(seen, axis=1)


def test_dropout_has_mean_scale_and_independence():
    out = noise_of(lambda: keras.layers.Dropout(0.3))  # two layers, each keeping 0.7
    assert set(np.unique(np.round(out * 0.49, 5))) <= {0.0, 1.0}  # scaled by 1 / (0.7 * 0.7)
    kept = (out > 0).reshape(40, 3, -1).astype(float)
    n = kept.size
    # If the two layers shared bits, the share kept would be 0.7 and not 0.49.
    assert abs(kept.mean() - 0.49) < 5 * np.sqrt(0.49 * 0.51 / n)
    assert abs(out.mean() - 1.0) < 5 * np.sqrt(0.51 / 0.49 / n)
    rows = kept.reshape(120, -1)
    correlation = np.corrcoef(rows)[np.triu_indices(120, 1)]
    assert np.abs(correlation).max() < 6 / np.sqrt(rows.shape[1])  # members and steps
    features = kept.reshape(-1, 50)
    correlation = np.corrcoef(features.T)[np.triu_indices(50, 1)]
    assert np.abs(correlation).max() < 6 / np.sqrt(len(features))


def test_gaussian_noise_is_normal_and_independent():
    noise = noise_of(lambda: keras.layers.GaussianNoise(0.3)) - 1.0  # two layers add up
    scaled = noise.ravel() / (0.3 * np.sqrt(2))
    n = scaled.size
    assert abs(scaled.mean()) < 5 / np.sqrt(n)
    assert abs(scaled.std() - 1) < 5 / np.sqrt(2 * n)
    assert abs((scaled**4).mean() - 3) < 5 * np.sqrt(96 / n)
    rows = noise.reshape(120, -1)
    assert np.abs(np.corrcoef(rows)[np.triu_indices(120, 1)]).max() < 6 / np.sqrt(rows.shape[1])


def test_dropout_rate_zero_trains_as_no_dropout(line):
    dropped = api.fit_many(
        small(dropout=0.5), line, members=3, epochs=3, vary={"dropout": [0.0, 0.0, 0.5]}
    )
    plain = api.fit_many(small(), line, members=3, epochs=3)
    for a, b in zip(dropped.weights, plain.weights, strict=True):
        np.testing.assert_allclose(a[:2], b[:2], rtol=1e-4, atol=1e-6)
        assert not np.allclose(a[2], b[2], rtol=1e-4, atol=1e-6) or a.shape[-1] == 1


def test_a_rate_of_zero_in_the_template_trains(line):
    def builder(first):
        noisy = [keras.layers.Dropout(first), keras.layers.Dense(4), keras.layers.Dropout(0.5)]
        return lambda: keras.Sequential([keras.Input((1,)), *noisy, keras.layers.Dense(1)])

    off = api.fit_many(builder(0.0), line, members=2, epochs=3)
    tiny = api.fit_many(
        builder(1e-7), line, members=2, epochs=3
    )  # drops nothing, but draws its bits
    for key in off.history:  # the second layer's bits are the same either way
        np.testing.assert_allclose(off.history[key], tiny.history[key], rtol=1e-5)


def test_batch_orders_stay_small_and_the_cache_is_bounded(line, monkeypatch):
    recipe = Recipe(small())
    for rows in (10, 1000, 100_000):
        width = runtime.chunk_width(recipe, 32)
        part = runtime.part_length(recipe, rows, width)
        assert part == 1 or 4 * part * width * rows <= runtime.ORDER_BYTES
    monkeypatch.setattr(runtime, "CACHE_PROGRAMS", 2)
    monkeypatch.setattr(runtime, "_cache", {})
    for hidden in (2, 3, 4):
        api.fit_many(lambda h=hidden: models.mlp((1,), 1, (h,)), line, members=1, epochs=1)
    assert len(runtime._cache) == 2


def test_record_every_keeps_every_kth_and_the_last_epoch(line):
    every = api.fit_many(small(), line, members=2, epochs=7)
    third = api.fit_many(small(), line, members=2, epochs=7, record_every=3)
    assert third.epochs.tolist() == [3, 6, 7]
    for key, values in every.history.items():
        assert np.array_equal(third.history[key], values[:, [2, 5, 6]])


def test_no_validation_set_no_validation_keys():
    data = make("classification", (3,), 12, 3)
    runs = api.fit_many(lambda: models.mlp((3,), 3, (4,)), data, members=2, epochs=2)
    assert set(runs.history) == {"loss", "crossentropy", "accuracy"}
    assert runs.history["accuracy"].shape == (2, 2)
    assert runs.history["loss"].dtype == np.float32


def test_zero_epochs_only_draw_the_networks(line):
    runs = api.fit_many(small(), line, members=3, epochs=0)
    assert same(runs.weights, runs.initial_weights)
    assert runs.history["loss"].shape == (3, 0)


def test_validation_sets_larger_than_a_block_are_scored_whole(monkeypatch):
    data = make("classification", (3,), 12, 3, val=50)
    whole = api.fit_many(lambda: models.mlp((3,), 3, (4,)), data, members=2, epochs=2)
    monkeypatch.setattr(inference, "BLOCK_ROWS", 16)
    runtime.forget()  # a constant that no key knows
    blocks = api.fit_many(lambda: models.mlp((3,), 3, (4,)), data, members=2, epochs=2)
    for key in whole.history:
        np.testing.assert_allclose(whole.history[key], blocks.history[key], rtol=1e-5)


def test_given_models_and_optimizers_are_left_alone(line):
    model = models.mlp((1,), 1, (4,))
    before = [w.copy() for w in model.get_weights()]
    optimizer = keras.optimizers.Adam(0.01)
    runs = api.fit_many(model, line, members=2, epochs=2, optimizer=optimizer)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert int(optimizer.iterations.numpy()) == 0 and not model.compiled
    assert not np.array_equal(runs.initial_weights[0][0], before[0])  # the values are ignored


def test_initial_weights_are_used_and_not_changed(line):
    recipe = Recipe(small())
    given = draw(recipe, 3, 7)
    copies = [w.copy() for w in given]
    runs = api.fit_many(small(), line, members=3, epochs=2, initial_weights=given)
    assert same(given, copies) and same(runs.initial_weights, copies)
    assert not same(runs.weights, copies)


@pytest.fixture
def ctrl_c():
    """Give SIGINT its usual meaning: a shell that starts pytest in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_heard_between_parts_and_ends_the_threads(line, ctrl_c):
    def training():
        return any(t.name.startswith("ThreadPoolExecutor") for t in threading.enumerate())

    pressed = []

    def press():
        """Press Ctrl-C as soon as threads train, however long the way there takes."""
        end = time.monotonic() + 120
        while not training() and time.monotonic() < end:
            time.sleep(0.05)
        pressed.append(time.process_time())
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=press, daemon=True).start()
        api.fit_many(small(), line, members=4, epochs=3_000_000)
    assert time.process_time() - pressed[0] < 20  # seconds of computing: the rest would take more
    end = (
        time.monotonic() + 20
    )  # Ctrl-C as a thread starts: the pool does not know it yet, and it ends by itself
    while training() and time.monotonic() < end:
        time.sleep(0.05)
    assert not training()
    again = api.fit_many(small(), line, members=2, epochs=2)
    assert np.isfinite(again.history["loss"]).all()


def test_predict_many_equals_keras_with_shared_and_own_inputs(narrow):
    builder = lambda: models.cnn1d((8, 1), 3, filters=(4,), batch_norm=True)  # noqa: E731
    recipe = Recipe(builder)
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.1, 1, (6, *w.shape)).astype(np.float32) for w in recipe.weights]
    shared = rng.normal(size=(1030, 8, 1)).astype(np.float32)
    own = rng.normal(size=(6, 5, 8, 1)).astype(np.float32)
    outputs, outputs_own = (
        api.predict_many(builder, weights, shared),
        api.predict_many(builder, weights, own),
    )
    assert outputs.shape == (6, 1030, 3) and outputs_own.shape == (6, 5, 3)
    for member in (0, 5):
        model = recipe.keras_model(unstack(weights, member))
        np.testing.assert_allclose(
            outputs[member], model.predict(shared, verbose=0), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            outputs_own[member], model.predict(own[member], verbose=0), rtol=1e-4, atol=1e-5
        )
    assert np.array_equal(api.predict_many(builder, [w[:2] for w in weights], shared), outputs[:2])


def test_progress_shows_only_where_somebody_watches(line, capsys, monkeypatch):
    api.fit_many(small(), line, members=2, epochs=2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "watched", lambda: True)
    original = progress.tqdm
    monkeypatch.setattr(
        progress, "tqdm", lambda **options: original(**{**options, "delay": 0, "mininterval": 0})
    )
    api.fit_many(small(), line, members=2, epochs=2)
    shown = capsys.readouterr().err
    assert "network-epochs" in shown
    assert shown.rstrip("\r").rsplit("\r", 1)[-1].strip() == ""  # cleared at the end


def test_every_task_is_run_once_and_the_first_error_ends_the_others():
    seen = []
    runtime.run(lambda index, advance, stop: seen.append(index), 2000)
    assert sorted(seen) == list(range(2000))

    def fail(index, advance, stop):
        seen.append(index)
        raise RuntimeError("chunk 0 failed")

    seen.clear()
    with pytest.raises(RuntimeError, match="failed"):
        runtime.run(fail, 2000)
    assert len(seen) <= runtime.workers()


def test_ctrl_c_while_threads_are_started_ends_those_that_work(monkeypatch):
    submit, heard = runtime.ThreadPoolExecutor.submit, []

    def interrupted(pool, work):
        if heard:
            raise KeyboardInterrupt
        heard.append("started")
        return submit(pool, work)

    monkeypatch.setattr(runtime.ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runtime.run(lambda index, advance, stop: heard.append(stop.wait(60)), 3, threads=3)
    assert heard == ["started", True]
