"""The heart of the suite: a member of `fit_many` equals plain Keras on the same weights and batches."""

import numpy as np
import pytest
from making import make

from helpers._tensorflow import keras
from helpers.engine import api, tiny
from helpers.engine.recipe import recipe_of, unstack

L = keras.layers


def keras_twin(runs, dataset, optimizer, loss, member=0):
    """Train an ordinary Keras model from the member's initial weights on the member's batches; return it."""
    model = runs.model(member, epoch=0)
    optimizer = keras.optimizers.get(optimizer)
    fresh = type(optimizer).from_config(optimizer.get_config())
    model.compile(optimizer=fresh, loss=loss, run_eagerly=True)
    if dataset.stacked:
        dataset = dataset.member(member)
    for epoch in runs.batches(member):
        for rows in epoch:
            model.train_on_batch(dataset.x_train[rows], dataset.y_train[rows])
    return model


def distance(runs, model, member=0):
    """Return the largest difference of any weight, relative to that array's largest entry."""
    ours, theirs = unstack(runs.weights, member), model.get_weights()
    return max(
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))
        for a, b in zip(ours, theirs, strict=True)
    )


def sequential(*layers, shape=(3,)):
    """Return a builder of a Sequential model."""
    return lambda: keras.Sequential([keras.Input(shape), *(layer() for layer in layers)])


def residual():
    """Functional model with a skip, a concatenation and elementwise operations between layers."""
    inputs = keras.Input((3,))
    h = L.Dense(4, activation="tanh")(inputs)
    skip = L.Add()([h, L.Dense(4, activation="gelu")(h)])
    joined = L.Concatenate(axis=1)([skip, keras.ops.tanh(inputs) * 0.5 - 1.0])
    return keras.Model(inputs, L.Dense(2)(joined))


def shared_layer():
    """Functional model that calls one layer twice."""
    inputs = keras.Input((3,))
    layer = L.Dense(3, activation="softplus")
    return keras.Model(inputs, L.Dense(2)(layer(layer(inputs))))


def functional(*layers, shape=(3,)):
    """Return a builder of a Functional model that applies the layers in turn."""

    def build():
        inputs = h = keras.Input(shape)
        for layer in layers:
            h = layer()(h)
        return keras.Model(inputs, h)

    return build


def shared_norm():
    """Functional model that applies one batch normalization twice: its statistics move twice a step."""
    inputs, norm = keras.Input((3,)), L.BatchNormalization(**NORM)
    return keras.Model(inputs, L.Dense(1)(norm(L.Dense(3, use_bias=False)(norm(inputs)))))


@keras.saving.register_keras_serializable("test_oracle")
def axis_one(x):
    """Softmax over axis 1 of (B, ...): an activation that is not elementwise."""
    return keras.ops.softmax(x, axis=1)


def D(units, **options):
    return lambda: L.Dense(units, **options)


REG, SCE, BCE = "regression", "classification", "binary"
# Keras rounds some Python numbers (momentum, weight decay, penalties, epsilon) to float32 even in double precision:
# where that would show, the cases use numbers that float32 holds exactly. A bias before batch norm has a gradient of
# pure rounding error, which Adam blows up to full steps: no two programs agree on it, so that layer has none.
COSINE = keras.optimizers.schedules.CosineDecay(0.05, 20, warmup_target=0.1, warmup_steps=5)
STEPWISE = keras.optimizers.schedules.PiecewiseConstantDecay([3, 9], [0.0625, 0.015625, 0.00390625])
L1L2 = keras.regularizers.L1L2(1 / 64, 1 / 32)
L2 = keras.regularizers.L2(1 / 64)
NORM = {"epsilon": 2**-10, "momentum": 0.75}
OPT = keras.optimizers

# name: (builder, input shape, task, outputs, optimizer, batch size, loss). Each layer, loss and optimizer once, paired
# so that the list stays short; batch 4 of 10 leaves a short last batch.
CASES = {
    "dense-adam": (
        sequential(D(5, activation="relu"), D(2)),
        (3,),
        REG,
        2,
        OPT.Adam(0.02),
        4,
        "mse",
    ),
    "no-bias-sgd": (
        sequential(D(5, activation="elu", use_bias=False), D(1)),
        (3,),
        REG,
        1,
        OPT.SGD(0.05),
        10,
        "mae",
    ),
    "momentum-l1l2": (
        sequential(D(5, activation="relu", kernel_regularizer=L1L2, bias_regularizer=L2), D(1)),
        *((3,), REG, 1, OPT.SGD(0.02, momentum=0.875), 4, "huber"),
    ),
    "nesterov-l2": (
        sequential(D(5, activation="tanh", kernel_regularizer=L2), D(3)),
        *((3,), SCE, 3, OPT.SGD(0.05, momentum=0.75, nesterov=True), 4, "sce"),
    ),
    "rmsprop": (
        sequential(D(4, activation="silu"), D(1)),
        (3,),
        BCE,
        1,
        OPT.RMSprop(0.01),
        4,
        "bce",
    ),
    "rmsprop-centered": (
        sequential(D(4, activation="selu"), D(2)),
        *(
            (3,),
            BCE,
            2,
            OPT.RMSprop(0.01, momentum=0.5, centered=True, weight_decay=1 / 64),
            10,
            "sce",
        ),
    ),
    "adamw-schedule": (
        sequential(D(4), L.ReLU, D(1)),
        *((3,), BCE, 1, OPT.AdamW(STEPWISE, weight_decay=0.125), 4, "bce"),
    ),
    "sgd-piecewise": (
        sequential(D(4), L.LeakyReLU, D(1)),
        (3,),
        REG,
        1,
        OPT.SGD(STEPWISE),
        4,
        "mse",
    ),
    "adam-weight-decay": (
        sequential(D(4), L.ELU, D(1)),
        *(
            (3,),
            REG,
            1,
            OPT.Adam(0.02, beta_1=0.8, beta_2=0.99, epsilon=1e-3, weight_decay=1 / 16),
            4,
            "mse",
        ),
    ),
    "batch-norm": (
        sequential(
            D(6, use_bias=False),
            lambda: L.BatchNormalization(**NORM),
            lambda: L.Activation("relu"),
            D(1),
        ),
        *((3,), REG, 1, OPT.Adam(0.01), 4, "mse"),
    ),
    "batch-norm-options": (
        sequential(
            lambda: L.Conv1D(4, 2),
            lambda: L.BatchNormalization(momentum=0.5, epsilon=2**-7, scale=False),
            L.Flatten,
            lambda: L.BatchNormalization(center=False, **NORM),
            D(3),
            shape=(5, 2),
        ),
        *((5, 2), SCE, 3, OPT.SGD(0.05), 4, "sce"),
    ),
    "layer-norm": (
        sequential(
            D(6), lambda: L.LayerNormalization(epsilon=2**-10), lambda: L.Activation("gelu"), D(1)
        ),
        *((3,), REG, 1, OPT.Adam(0.01), 4, "mse"),
    ),
    "layer-norm-axes": (
        sequential(
            lambda: L.LayerNormalization(axis=[1, 2], scale=False, epsilon=2**-10),
            L.Flatten,
            D(1),
            shape=(4, 2),
        ),
        *((4, 2), REG, 1, OPT.SGD(0.02), 4, "mse"),
    ),
    "dense-on-steps": (
        sequential(D(4, activation="relu"), L.GlobalAveragePooling1D, D(2), shape=(5, 3)),
        *((5, 3), BCE, 2, OPT.Adam(0.01), 4, "sce"),
    ),
    "conv1d-causal-dilated": (
        sequential(
            lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="relu"),
            lambda: L.MaxPooling1D(2),
            L.Flatten,
            D(1),
            shape=(8, 2),
        ),
        *((8, 2), REG, 1, OPT.Adam(0.01), 4, "mse"),
    ),
    "conv1d-same-strided": (
        sequential(
            lambda: L.Reshape((9, 1)),
            lambda: L.Conv1D(
                3, 4, strides=2, padding="same", activation="relu", kernel_regularizer=L2
            ),
            lambda: L.AveragePooling1D(2, padding="same"),
            L.GlobalMaxPooling1D,
            D(3),
            shape=(9,),
        ),
        *((9,), SCE, 3, OPT.SGD(0.05, momentum=0.875), 4, "sce"),
    ),
    "conv2d": (
        sequential(
            lambda: L.Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="relu"),
            lambda: L.Conv2D(4, 2, dilation_rate=(1, 2), use_bias=False),
            lambda: L.MaxPooling2D(2, strides=1),
            L.Flatten,
            D(3),
            shape=(6, 5, 2),
        ),
        *((6, 5, 2), SCE, 3, OPT.Adam(0.01), 4, "sce"),
    ),
    "conv2d-pooling": (
        sequential(
            lambda: L.Conv2D(3, 3, padding="valid"),
            lambda: L.AveragePooling2D(2),
            L.Softmax,
            L.GlobalAveragePooling2D,
            D(1),
            shape=(6, 6, 1),
        ),
        *((6, 6, 1), BCE, 1, OPT.Adam(0.01), 4, "bce"),
    ),
    "global-max-2d": (
        sequential(lambda: L.Conv2D(3, 2), L.GlobalMaxPooling2D, D(1), shape=(4, 4, 1)),
        *((4, 4, 1), REG, 1, OPT.SGD(0.05), 4, "mse"),
    ),
    "functional-skip": (residual, (3,), REG, 2, OPT.Adam(0.01), 4, "mse"),
    "shared-layer": (shared_layer, (3,), REG, 2, OPT.SGD(0.05), 4, "mse"),
    "merge-layers": (
        lambda: _merges(),
        *((3,), REG, 1, OPT.Adam(0.01), 4, "mse"),
    ),
    "functional-batch-norm": (
        functional(
            *(D(3, use_bias=False), lambda: L.BatchNormalization(**NORM), L.Softmax),
            *(lambda: L.LayerNormalization(epsilon=2**-10), D(1)),
        ),
        *((3,), REG, 1, OPT.SGD(0.05), 4, "mse"),
    ),
    "functional-convolution": (
        functional(
            *(
                lambda: L.Conv1D(2, 3, padding="same"),
                lambda: L.Dropout(0.0),
                L.ReLU,
                L.GlobalAveragePooling1D,
                D(1),
            ),
            shape=(5, 2),
        ),
        *((5, 2), REG, 1, OPT.SGD(0.05), 4, "mse"),
    ),
    "functional-pooling": (
        functional(
            *(
                lambda: L.Conv2D(2, 2),
                lambda: L.MaxPooling2D(2),
                L.Flatten,
                lambda: L.GaussianNoise(0.0),
                D(1),
            ),
            shape=(5, 5, 1),
        ),
        *((5, 5, 1), REG, 1, OPT.SGD(0.05), 4, "mse"),
    ),
    "shared-batch-norm": (shared_norm, (3,), REG, 1, OPT.SGD(0.05), 4, "mse"),
    "axis-activation": (
        sequential(D(2, activation=axis_one), L.Flatten, D(1), shape=(4, 2)),
        *((4, 2), REG, 1, OPT.SGD(0.05), 4, "mse"),
    ),
    "hinge": (sequential(D(4, activation="relu"), D(1)), (3,), BCE, 1, OPT.SGD(0.05), 4, "hinge"),
    "frozen-batch-norm": (
        sequential(D(4), lambda: L.BatchNormalization(trainable=False, **NORM), D(1)),
        *((3,), REG, 1, OPT.Adam(0.01), 4, "mse"),
    ),
}


def _merges():
    inputs = keras.Input((3,))
    a, b = L.Dense(4)(inputs), L.Dense(4, activation="sigmoid")(inputs)
    parts = [kind()([a, b]) for kind in (L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum)]
    return keras.Model(inputs, L.Dense(1)(L.Concatenate()(parts)))


KERAS_LOSS = {
    "mse": "mse",
    "mae": "mae",
    "huber": keras.losses.Huber,
    "sce": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "bce": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "hinge": lambda: _keras_hinge,
}
OUR_LOSS = {"sce": "sparse_categorical_crossentropy", "bce": "binary_crossentropy"}


def _keras_hinge(y, logits):
    return keras.losses.hinge(keras.ops.reshape(y, keras.ops.shape(logits)), logits)


@pytest.mark.both
@pytest.mark.parametrize("case", list(CASES))
def test_member_equals_keras_in_float64(case, float64, monkeypatch):
    builder, shape, task, outputs, optimizer, batch, loss = CASES[case]
    dataset = make(task, shape, 10, 2 if task == "binary" else outputs)
    ours = OUR_LOSS.get(loss, loss)
    theirs = KERAS_LOSS[loss]() if callable(KERAS_LOSS[loss]) else loss
    # Tiny networks train with members last: these cases both ways.
    for last in {tiny.suits(recipe_of(builder), ours), False}:
        monkeypatch.setattr(tiny, "suits", lambda recipe, loss, last=last: last)
        runs = api.fit_many(
            builder,
            dataset,
            members=2,
            epochs=3,
            batch_size=batch,
            optimizer=optimizer,
            loss=ours,
        )
        model = keras_twin(runs, dataset, optimizer, theirs, member=1)
        assert distance(runs, model, member=1) < 1e-9
        moved = max(
            np.abs(a - b).max() for a, b in zip(runs.weights, runs.initial_weights, strict=True)
        )
        assert moved > 1e-3  # training happened: the comparison is not one of initial weights


CASES["cosine-schedule"] = (CASES["dense-adam"][0], (3,), REG, 2, OPT.Adam(COSINE), 10, "mse")


@pytest.mark.compiled
@pytest.mark.parametrize(
    "case", ["dense-adam", "batch-norm", "conv2d", "rmsprop", "momentum-l1l2", "cosine-schedule"]
)
def test_member_equals_keras_in_float32_after_25_full_batches(case):
    builder, shape, task, outputs, optimizer, _, loss = CASES[case]
    dataset = make(task, shape, 10, 2 if task == "binary" else outputs)
    runs = api.fit_many(
        builder,
        dataset,
        members=2,
        epochs=25,
        batch_size=10,
        optimizer=optimizer,
        loss=OUR_LOSS.get(loss, loss),
    )
    theirs = KERAS_LOSS[loss]() if callable(KERAS_LOSS[loss]) else loss
    assert distance(runs, keras_twin(runs, dataset, optimizer, theirs)) < 1e-4


@pytest.mark.both
def test_history_is_what_fit_reports(float64):
    def builder():
        layers = [L.Dense(4, kernel_regularizer="l2"), L.BatchNormalization(), L.ReLU(), L.Dense(3)]
        return keras.Sequential([keras.Input((3,)), *layers])

    dataset = make("classification", (3,), 10, 3, val=5)
    runs = api.fit_many(builder, dataset, members=2, epochs=4, batch_size=4, shuffle=False)
    model = runs.model(1, epoch=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    crossentropy = keras.metrics.SparseCategoricalCrossentropy(
        from_logits=True, name="crossentropy"
    )
    model.compile("adam", loss, metrics=["accuracy", crossentropy], run_eagerly=True)
    held = (dataset.x_val, dataset.y_val)
    fit = model.fit(
        dataset.x_train,
        dataset.y_train,
        epochs=4,
        batch_size=4,
        shuffle=False,
        validation_data=held,
        verbose=0,
    )
    assert set(runs.history) == set(fit.history)
    for key, values in fit.history.items():
        np.testing.assert_allclose(runs.history[key][1], values, rtol=1e-6, err_msg=key)


@pytest.mark.both
def test_each_member_of_a_stack_trains_on_its_own_data(float64):
    sets = [make("regression", (3,), 10, 1, seed=i, val=4) for i in range(3)]
    dataset = type(sets[0]).stack(sets)
    builder = sequential(D(4, activation="relu"), D(1))
    runs = api.fit_many(builder, dataset, members=3, epochs=3, batch_size=4, optimizer="sgd")
    for member in (0, 2):
        assert distance(runs, keras_twin(runs, dataset, "sgd", "mse", member), member) < 1e-9
        loss = runs.model(member)
        loss.compile(loss="mse")
        expected = loss.evaluate(sets[member].x_val, sets[member].y_val, verbose=0)
        np.testing.assert_allclose(runs.history["val_loss"][member, -1], expected, rtol=1e-6)


@pytest.mark.both
@pytest.mark.parametrize(
    ("key", "values", "make_optimizer"),
    [
        ("learning_rate", [0.01, 0.1], lambda v: OPT.Adam(v)),
        ("beta_1", [0.5, 0.9], lambda v: OPT.Adam(0.01, beta_1=v)),
        ("beta_2", [0.9, 0.999], lambda v: OPT.Adam(0.01, beta_2=v)),
        ("epsilon", [1e-2, 1e-7], lambda v: OPT.Adam(0.01, epsilon=v)),
        ("weight_decay", [0.0, 0.5], lambda v: OPT.AdamW(0.01, weight_decay=v)),
        ("momentum", [0.0, 0.875], lambda v: OPT.SGD(0.05, momentum=v)),
        ("rho", [0.5, 0.9], lambda v: OPT.RMSprop(0.01, rho=v)),
    ],
)
def test_a_varied_optimizer_setting_is_each_members_own(key, values, make_optimizer, float64):
    dataset = make("regression", (3,), 10, 1)
    builder = sequential(D(4, activation="tanh"), D(1))
    template = make_optimizer(values[1] if key != "momentum" else 0.0)
    runs = api.fit_many(
        builder,
        dataset,
        members=2,
        epochs=3,
        batch_size=4,
        optimizer=template,
        vary={key: np.array(values)},
    )
    for member, value in enumerate(values):
        assert (
            distance(runs, keras_twin(runs, dataset, make_optimizer(value), "mse", member), member)
            < 1e-9
        )


@pytest.mark.both
@pytest.mark.parametrize("key", ["l1", "l2"])
def test_a_varied_penalty_is_each_members_own(key, float64):
    dataset = make("regression", (3,), 10, 1, val=4)
    values = [0.0, 0.25]  # Keras rounds strengths to float32; these are exact

    def builder(strength=0.01):
        penalty = (
            keras.regularizers.L1(strength) if key == "l1" else keras.regularizers.L2(strength)
        )
        layers = [L.Dense(4, activation="relu", kernel_regularizer=penalty), L.Dense(1)]
        return keras.Sequential([keras.Input((3,)), *layers])

    runs = api.fit_many(
        builder, dataset, members=2, epochs=3, batch_size=4, optimizer="sgd", vary={key: values}
    )
    for member, value in enumerate(values):
        model = builder(value)
        model.set_weights(unstack(runs.initial_weights, member))
        model.compile("sgd", "mse", run_eagerly=True)
        for epoch in runs.batches(member):
            for rows in epoch:
                model.train_on_batch(dataset.x_train[rows], dataset.y_train[rows])
        assert distance(runs, model, member) < 1e-9
        expected = model.evaluate(dataset.x_val, dataset.y_val, verbose=0)  # includes the penalty
        np.testing.assert_allclose(runs.history["val_loss"][member, -1], expected, rtol=1e-6)


@pytest.mark.both
def test_learning_rate_is_a_factor_on_a_schedule(float64):
    dataset = make("regression", (3,), 10, 1)
    builder = sequential(D(4, activation="tanh"), D(1))
    factors = [1.0, 0.5]
    runs = api.fit_many(
        builder,
        dataset,
        members=2,
        epochs=4,
        batch_size=4,
        optimizer=OPT.SGD(STEPWISE),
        learning_rate=factors,
    )
    for member, factor in enumerate(factors):
        scaled = keras.optimizers.schedules.PiecewiseConstantDecay(
            [3, 9], [factor * v for v in (0.0625, 0.015625, 0.00390625)]
        )
        assert (
            distance(runs, keras_twin(runs, dataset, OPT.SGD(scaled), "mse", member), member) < 1e-9
        )


@pytest.mark.both
def test_masked_weights_stay_zero_and_the_rest_train_as_keras_with_those_weights_held(float64):
    dataset = make("regression", (3,), 10, 1)
    builder = sequential(D(4, activation="relu"), D(1))
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 2, (2, 3, 4)), None, rng.integers(0, 2, (2, 4, 1)), None]
    optimizer = OPT.AdamW(0.02, weight_decay=0.125)
    runs = api.fit_many(
        builder,
        dataset,
        members=2,
        epochs=3,
        batch_size=4,
        optimizer=optimizer,
        masks=masks,
        snapshots=(0, 1),
    )
    for weights in (runs.initial_weights, runs.snapshots[0], runs.snapshots[1], runs.weights):
        for mask, w in zip(masks, weights, strict=True):
            assert mask is None or np.all(w[mask == 0] == 0)
    model = runs.model(1, epoch=0)
    model.compile(OPT.AdamW(0.02, weight_decay=0.125), "mse", run_eagerly=True)
    for epoch in runs.batches(1):
        for rows in epoch:
            model.train_on_batch(dataset.x_train[rows], dataset.y_train[rows])
            held = [
                w if m is None else w * m[1]
                for w, m in zip(model.get_weights(), masks, strict=True)
            ]
            model.set_weights(held)
    # Adam treats each weight by itself, so holding the masked ones at zero after each step is the same training.
    assert distance(runs, model, 1) < 1e-9


@pytest.mark.both
def test_a_loss_given_as_a_function_equals_its_name(float64):
    dataset = make("regression", (3,), 10, 2)
    builder = CASES["dense-adam"][0]

    def squared(y, logits):
        return keras.ops.mean((y - logits) ** 2, axis=-1)

    runs = [
        api.fit_many(builder, dataset, members=2, epochs=2, loss=loss) for loss in (squared, "mse")
    ]
    for a, b in zip(*(r.weights for r in runs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
