"""Builders return the ordinary Keras models they promise."""

import functools

import numpy as np
import pytest

from helpers import models
from helpers._tensorflow import keras
from helpers.engine.recipe import Recipe, recipe_of, stack, unstack


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (lambda: models.mlp((1,), 1, hidden=(100,) * 5), 40_701),  # the blog's count
        (lambda: models.mlp((1,), 1), 4_353),
        (models.lenet_300_100, 266_610),
        (
            lambda: models.mlp((40,), 10, hidden=(100, 100)),
            40 * 100 + 100 + 100 * 100 + 100 + 100 * 10 + 10,
        ),
        (models.cnn1d, 5 * 25 + 25 + 2 * (5 * 25 * 25 + 25) + 5 * 25 * 10 + 10),
        (lambda: models.linear((7,), 2), 16),
    ],
)
def test_parameter_counts(model, parameters):
    built = model()
    assert built.count_params() == parameters
    assert Recipe(model).size == parameters
    assert not built.compiled


def test_mlp_orders_its_layers_as_the_keras_post():
    built = models.mlp((3,), 2, hidden=(4,), batch_norm=True, dropout=0.1, l1=0.1, l2=0.2)
    kinds = [type(layer).__name__ for layer in built.layers]
    assert kinds == ["Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]
    penalty = built.layers[0].kernel_regularizer
    assert isinstance(penalty, keras.regularizers.L1L2) and (penalty.l1, penalty.l2) == (0.1, 0.2)
    assert built.layers[-1].kernel_regularizer is None  # penalties on hidden kernels only


@pytest.mark.parametrize("builder", [models.cnn1d, models.cnn2d])
def test_convolutional_builders_take_inputs_with_and_without_channels(builder):
    shape = (12,) if builder is models.cnn1d else (12, 10)
    plain, channels = builder(shape, 3), builder((*shape, 1), 3)
    assert plain.output_shape == channels.output_shape == (None, 3)
    assert plain.count_params() == channels.count_params()


def test_a_wide_input_is_flattened():
    assert models.mlp((4, 5), 2, hidden=(3,)).count_params() == 20 * 3 + 3 + 3 * 2 + 2


def test_recipes_rebuild_the_same_model_and_share_a_key():
    recipe = Recipe(
        lambda: models.cnn1d((8,), 3, filters=(4,), batch_norm=True, dropout=0.2, l2=0.1)
    )
    again = Recipe(models.cnn1d((8,), 3, filters=(4,), batch_norm=True, dropout=0.4, l2=0.3))
    assert recipe.key == again.key  # names and strengths do not shape the program
    assert recipe.key != Recipe(models.cnn1d((8,), 3, filters=(5,), batch_norm=True)).key
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape).astype(np.float32) for w in recipe.weights]
    model = recipe.keras_model(weights)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


def test_models_that_compute_different_things_have_different_keys():
    def built(activation, name="hidden", trainable=True):
        hidden = keras.layers.Dense(8, activation=activation, name=name, trainable=trainable)
        return keras.Sequential([keras.Input((3,)), hidden, keras.layers.Dense(1)])

    kinds = ("relu", "tanh", "sigmoid")
    assert len({Recipe(built(kind)).key for kind in kinds}) == 3
    assert (
        len({Recipe(built(kind, name=kind)).key for kind in kinds}) == 3
    )  # a layer may be called "tanh"
    assert Recipe(built("relu", "a")).key == Recipe(built("relu", "b")).key
    assert Recipe(built("relu")).key != Recipe(built("relu", trainable=False)).key


def test_a_builder_of_ours_is_read_once_and_only_where_its_model_cannot_have_changed():
    def read(*args, **options):
        return recipe_of(functools.partial(models.mlp, *args, **options))

    assert read((2,), 1, hidden=(3,)) is read((2,), 1, hidden=(3,))
    assert recipe_of(models.lenet_300_100) is recipe_of(models.lenet_300_100)
    assert read((2,), 1, l2=0.1) is not read((2,), 1, l2=0.2)
    assert read((2,), 1, batch_norm=True).size > read((2,), 1).size
    with pytest.raises((TypeError, ValueError), match="batch_norm"):
        read((2,), 1, batch_norm=1)  # equal to True and not the same
    with pytest.raises((TypeError, ValueError), match="hidden"):
        read((2,), 1, hidden=(0,))
    single = read((2,), 1)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("float64")
        assert (single.dtype, read((2,), 1).dtype) == ("float32", "float64")
    finally:
        keras.config.set_dtype_policy(before)
    spread = keras.initializers.RandomNormal(stddev=0.1)
    assert read((2,), 1, initializer=spread) is not read(
        (2,), 1, initializer=spread
    )  # its spread may change
    sizes = iter((3, 4))
    grows = lambda: models.mlp((2,), 1, hidden=(next(sizes),))  # noqa: E731
    assert recipe_of(grows).size < recipe_of(grows).size
    copies = lambda: keras.models.clone_model(recipe_of(models.lenet_300_100).template)  # noqa: E731
    assert recipe_of(copies).size == 266_610  # a builder may use the helpers itself


def test_stack_and_unstack_are_inverse():
    nets = [models.mlp((2,), 1, hidden=(3,)).get_weights() for _ in range(4)]
    stacked = stack(nets)
    assert [w.shape for w in stacked] == [(4, 2, 3), (4, 3), (4, 3, 1), (4, 1)]
    assert all(np.array_equal(a, b) for a, b in zip(unstack(stacked, 2), nets[2], strict=True))
    with pytest.raises(ValueError, match="one or more lists"):
        stack([])
