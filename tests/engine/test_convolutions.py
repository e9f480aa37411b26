"""Convolutions as products of windows equal XLA's, derivatives too; what they do not know is left to XLA."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("jax.export")
convolutions = pytest.importorskip("helpers._jax.convolutions")

LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def given(sizes, inputs, filters, groups=1, length=9):
    rng = np.random.default_rng(3)
    n = len(sizes)
    images = rng.normal(size=(2, *[length + i for i in range(n)], inputs)).astype(np.float32)
    kernel = rng.normal(size=(*sizes, inputs // groups, filters)).astype(np.float32)
    letters = LETTERS[n]
    return images, kernel, (f"N{letters}C", f"{letters}IO", f"N{letters}C")


CASES = {
    "plain": ((3, 3), 4, 5, {}),
    "one place": ((1, 1), 4, 5, {}),
    "strides": ((3, 2), 4, 5, {"window_strides": (2, 3)}),
    "same": ((3, 4), 4, 5, {"padding": "SAME", "window_strides": (2, 2)}),
    "dilated": ((3, 2), 4, 5, {"rhs_dilation": (2, 3), "padding": "SAME"}),
    "causal": ((3,), 4, 5, {"padding": [(2, 0)]}),
    "volumes": ((2, 3, 2), 2, 3, {"padding": "SAME"}),
    "by channel": ((3, 3), 4, 4, {"feature_group_count": 4, "padding": "SAME"}),
    "by channel, two each": ((3,), 4, 8, {"feature_group_count": 4, "window_strides": (2,)}),
}
LEFT = {
    "groups": ((3, 3), 4, 6, {"feature_group_count": 2}),
    "turned": ((3, 3), 4, 5, {"lhs_dilation": (2, 2), "padding": [(1, 1), (1, 1)]}),
    "many places": ((9, 16), 1, 1, {"padding": "SAME"}),
    "nothing left": ((12,), 1, 1, {}),
}


def run(function, case):
    """Return what a convolution gives, and its derivatives by images and kernel."""
    sizes, inputs, filters, options = case
    images, kernel, numbers = given(sizes, inputs, filters, options.get("feature_group_count", 1))
    options = {"window_strides": (1,) * len(sizes), "padding": "VALID"} | options

    def score(images, kernel):
        out = function(images, kernel, dimension_numbers=numbers, **options)
        return (out**2).sum(), out

    gradients, out = jax.grad(score, argnums=(0, 1), has_aux=True)(images, kernel)
    return [out, *gradients]


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives_are_xlas(name, monkeypatch):
    expected = run(convolutions.xla, CASES[name])
    monkeypatch.setattr(convolutions, "xla", None)  # nothing is left to it
    for ours, xlas in zip(run(convolutions.convolve, CASES[name]), expected, strict=True):
        np.testing.assert_allclose(ours, xlas, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_xla_is_the_same(name):
    both = run(convolutions.convolve, LEFT[name]), run(convolutions.xla, LEFT[name])
    for ours, xlas in zip(*both, strict=True):
        np.testing.assert_array_equal(ours, xlas)


def test_a_batch_of_unknown_size_has_the_shape_that_xla_says():
    images, kernel, numbers = given((3, 3), 4, 5)
    (batch,) = jax.export.symbolic_shape("batch")
    any_size = jax.ShapeDtypeStruct((batch, *images.shape[1:]), images.dtype)
    options = {"dimension_numbers": numbers, "window_strides": (2, 2), "padding": "SAME"}
    found = [
        jax.eval_shape(lambda x, f=function: f(x, kernel, **options), any_size)
        for function in (convolutions.convolve, convolutions.xla)
    ]
    assert found[0].shape == found[1].shape and found[0].shape[1:] == (5, 5, 5)


def test_windows_that_take_too_much_memory_are_left_to_xla(monkeypatch):
    monkeypatch.setattr(convolutions, "MOST_BYTES", 100)
    both = run(convolutions.convolve, CASES["plain"]), run(convolutions.xla, CASES["plain"])
    np.testing.assert_array_equal(both[0][0], both[1][0])
