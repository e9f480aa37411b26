"""Data sets: properties of what the loaders return, the door's checks, the files and their readers."""

import dataclasses
import gzip
import hashlib
import pickle
import re
import socket
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.io import loadmat, savemat

from helpers import data
from helpers.data import Dataset

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = [
    data.line,
    data.xor,
    data.spirals,
    data.circles,
    data.mnist1d,
    data.mnist1d_fresh,
    data.digits,
    data.mnist_small,
]


def name_of(loader):
    return loader.__name__


def rows(x):
    """The examples as a set, for overlaps."""
    return {row.tobytes() for row in x}


def arrays(dataset):
    return [
        getattr(dataset, f"{axis}_{part}") for part in ("train", "val", "test") for axis in "xy"
    ]


def same(first, second):
    return all(
        (a is None and b is None) or np.array_equal(a, b)
        for a, b in zip(arrays(first), arrays(second))
    )


def small(n=6, task="classification", seed=0, **changes):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=(n, 2)) if task == "regression" else np.arange(n) % 2
    given = {
        "x_train": generator.normal(size=(n, 3)),
        "y_train": y,
        "task": task,
        "name": "small",
        **changes,
    }
    return Dataset(**given)


# The Dataset


@pytest.mark.parametrize("task", ["regression", "binary", "classification"])
def test_conversion_and_properties(task):
    dataset = small(
        task=task, x_val=np.ones((2, 3), int), y_val=np.ones((2, 2) if task == "regression" else 2)
    )
    assert dataset.x_train.dtype == dataset.x_val.dtype == np.float32
    assert (
        dataset.y_train.dtype
        == dataset.y_val.dtype
        == (np.float32 if task == "regression" else np.int32)
    )
    assert dataset.input_shape == (3,) and dataset.n_train == 6
    assert dataset.num_classes == (None if task == "regression" else 2)
    assert dataset.outputs == {"regression": 2, "binary": 1, "classification": 2}[task]
    assert not dataset.stacked and dataset.members is None and dataset.member(3) is dataset


def test_one_column_of_regression_targets_becomes_two_dimensional():
    assert small(task="regression", y_train=np.arange(6)).y_train.shape == (6, 1)


def test_classes_are_inferred_from_all_parts():
    assert small(x_test=np.ones((1, 3)), y_test=[7]).num_classes == 8
    assert small(y_train=np.zeros(6)).num_classes == 2


def test_frozen_means_frozen():
    x = np.ones((6, 3), np.float32)
    dataset = small(x_train=x)
    x[:] = 5
    assert np.all(dataset.x_train == 1)
    view = x.view()
    view.setflags(write=False)
    dataset = small(x_train=view)  # read-only, but its owner is not
    x[:] = 7
    assert np.all(dataset.x_train == 5)
    with pytest.raises(ValueError, match="read-only"):
        dataset.x_train[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"


def test_read_only_arrays_are_shared_and_equality_is_identity():
    first = small()
    second = dataclasses.replace(first, name="second")
    assert second.x_train is first.x_train and second.y_train is first.y_train
    assert first == first and first != small()
    assert len({first, second}) == 2


def test_repr_shows_shapes_only():
    stack = Dataset.stack([small(), small(seed=1)])
    assert repr(small(x_test=np.ones((2, 3)), y_test=[0, 1])) == (
        "Dataset('small', classification, num_classes=2, input_shape=(3,), train=6, test=2)"
    )
    assert (
        repr(stack)
        == "Dataset('small', classification, num_classes=2, input_shape=(3,), train=6, members=2)"
    )
    assert "num_classes" not in repr(small(task="regression"))


BAD = [
    ({"task": "regresion"}, ValueError, r"`task` must be one of 'regression'"),
    ({"name": ""}, TypeError, "`name` must be a string that is not empty"),
    ({"x_train": None}, ValueError, "`x_train` must be an array, as `y_train` is"),
    ({"x_val": np.ones((2, 3))}, ValueError, "`y_val` must be an array, as `x_val` is"),
    ({"y_test": [1]}, ValueError, "`x_test` must be an array, as `y_test` is"),
    (
        {"x_train": np.ones(6)},
        ValueError,
        r"shape \(N, ...\).*shape \(6,\). Use x_train\[:, None\]",
    ),
    ({"x_train": np.ones((0, 3)), "y_train": []}, ValueError, "no axis empty"),
    (
        {"x_train": np.full((6, 3), np.nan)},
        ValueError,
        "`x_train` must be finite. Received: 18 of 18",
    ),
    ({"x_train": [["a"] * 3] * 6}, TypeError, "`x_train` must be a numeric array"),
    ({"y_train": [[0], 1, 0, 1, 0, 1]}, TypeError, "`y_train` must be a numeric array"),
    (
        {"y_train": np.ones(5)},
        ValueError,
        r"same number of examples. Received: shapes \(6, 3\) and \(5,\)",
    ),
    ({"y_train": np.ones((6, 1))}, ValueError, r"`y_train` must have shape \(N,\)"),
    ({"y_train": np.full(6, 0.5)}, ValueError, "`y_train` must be whole numbers"),
    ({"y_train": [0, 1, 0, 1, 0, np.nan]}, ValueError, "`y_train` must be finite"),
    ({"y_train": [0, 1, 0, 1, 0, -1]}, ValueError, "`y_train` must lie in"),
    ({"y_train": [0, 1, 0, 1, 0, 2**40]}, ValueError, "`y_train` must lie in"),
    (
        {"y_train": [0, 1, 0, 1, 0, 3], "num_classes": 3},
        ValueError,
        r"`y_train` must lie in \[0, 2\]",
    ),
    (
        {"y_train": [0, 1, 0, 1, 0, 2], "task": "binary"},
        ValueError,
        r"`y_train` must lie in \[0, 1\]",
    ),
    ({"num_classes": 1}, ValueError, "`num_classes` must be an integer of at least 2"),
    (
        {"num_classes": 3, "task": "binary"},
        ValueError,
        "`num_classes` must be an integer from 2 to 2",
    ),
    (
        {"num_classes": 2, "task": "regression"},
        ValueError,
        "`num_classes` must be None for a regression",
    ),
    (
        {"x_val": np.ones((2, 4)), "y_val": [0, 1]},
        ValueError,
        r"`x_val` must have the shape of `x_train`.*\(3,\)",
    ),
    (
        {"x_train": [[1e39] * 3] * 6},
        ValueError,
        r"`x_train` must fit into float32\. Received: values up to 1e\+39",
    ),
    (
        {"num_classes": 10**400},
        ValueError,
        "`num_classes` must be an integer of at most 2,147,483,647",
    ),
    (
        {"y_train": np.ones((6, 1, 1)), "task": "regression"},
        ValueError,
        r"`y_train` must have shape \(N, outputs\)",
    ),
]


@pytest.mark.parametrize(("changes", "error", "text"), BAD)
def test_bad_arguments_are_named(changes, error, text):
    with pytest.raises(error, match=text):
        small(**changes)


def test_regression_targets_of_another_width_are_refused():
    with pytest.raises(ValueError, match="`y_test` must have the shape of `y_train`"):
        small(task="regression", x_test=np.ones((2, 3)), y_test=np.ones((2, 3)))


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Dataset(np.ones((2, 2)), np.ones(2), task="binary", name="p")


# Stacks


@pytest.mark.parametrize("task", ["regression", "binary", "classification"])
def test_stack_and_member_round_trip(task):
    parts = [data.split(small(10, task, seed), 0.3, seed) for seed in range(4)]
    stack = Dataset.stack(parts)
    assert stack.stacked and stack.members == 4
    assert (
        stack.x_train.shape == (4, 7, 3) and stack.x_val.shape == (4, 3, 3) and stack.x_test is None
    )
    assert (stack.input_shape, stack.outputs, stack.n_train) == ((3,), parts[0].outputs, 7)
    assert all(
        same(stack.member(i), part) and not stack.member(i).stacked for i, part in enumerate(parts)
    )
    with pytest.raises(ValueError, match="`i` must be an integer from 0 to 3"):
        stack.member(4)
    with pytest.raises(ValueError, match="read-only"):
        stack.x_train[0] = 0


def test_a_stack_of_one_is_a_stack():
    stack = Dataset.stack([small()])
    assert stack.stacked and stack.members == 1 and stack.input_shape == (3,)


def test_stack_repeats_a_shared_array_without_a_copy():
    stack = Dataset.stack(data.mnist1d(n_train=50, seed=i) for i in range(5))
    assert stack.x_test.shape == (5, 10_000, 40) and stack.x_test.strides[0] == 0
    assert np.shares_memory(stack.member(3).x_test, data.mnist1d(n_train=50).x_test)
    assert stack.x_train.strides[0] != 0


STACKS = [
    (list, ValueError, "at least one Dataset"),
    (
        lambda: 3,
        TypeError,
        "`datasets` must be a sequence of at least one Dataset. Received: datasets=3",
    ),
    (
        small,
        TypeError,
        "`datasets` must be a sequence of at least one Dataset. Received: datasets=Dataset",
    ),
    (lambda: [small(), "x"], TypeError, r"`datasets\[1\]` must be a Dataset"),
    (
        lambda: [small(), Dataset.stack([small()])],
        ValueError,
        r"`datasets\[1\]` must be a Dataset that is not stacked",
    ),
    (
        lambda: [small(), small(), small(5)],
        ValueError,
        r"datasets\[2\] has shape of x_train \(5, 3\), datasets\[0\]",
    ),
    (lambda: [small(), small(num_classes=3)], ValueError, r"datasets\[1\] has num_classes 3"),
    (lambda: [small(), small(task="binary")], ValueError, r"datasets\[1\] has task 'binary'"),
    (
        lambda: [small(10), data.split(small(10))],
        ValueError,
        r"datasets\[1\] has shape of x_train \(8, 3\)",
    ),
]


@pytest.mark.parametrize(("build", "error", "text"), STACKS)
def test_stack_names_the_element_that_differs(build, error, text):
    with pytest.raises(error, match=text):
        Dataset.stack(build())


# All loaders


@pytest.mark.parametrize("loader", OFFLINE, ids=name_of)
def test_loaders_work_with_the_network_off(loader, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("no network")

    monkeypatch.setattr(socket, "socket", refuse)
    dataset = loader()
    assert isinstance(dataset, Dataset) and dataset.name == loader.__name__
    assert dataset.x_test is not None and dataset.x_val is None


@pytest.mark.parametrize("loader", OFFLINE, ids=name_of)
def test_one_seed_one_data_set(loader):
    assert same(loader(seed=3), loader(seed=3))
    assert not np.array_equal(loader(seed=3).x_train, loader(seed=4).x_train)


@pytest.mark.parametrize("loader", [data.mnist1d, data.digits, data.mnist_small], ids=name_of)
def test_parts_do_not_overlap(loader):
    dataset = loader(n_train=300, n_test=200, seed=1)
    assert dataset.n_train == 300 and len(dataset.y_test) == 200
    assert len(rows(dataset.x_train)) == 300 and not rows(dataset.x_train) & rows(dataset.x_test)


@pytest.mark.parametrize("loader", [data.mnist1d, data.digits, data.mnist_small], ids=name_of)
def test_a_smaller_training_set_is_part_of_a_larger_one(loader):
    large, less = loader(n_train=300, seed=1), loader(n_train=100, seed=1)
    assert np.array_equal(large.x_train[:100], less.x_train)


@pytest.mark.parametrize("loader", [data.mnist1d, data.digits, data.mnist_small], ids=name_of)
def test_classes_are_kept_and_renamed(loader):
    ten, two, three = loader(), loader(classes=(8, 3)), loader(classes=(3, 8, 9))
    assert (two.task, two.num_classes, two.outputs) == ("binary", 2, 1)
    assert (three.task, three.num_classes, three.outputs) == ("classification", 3, 3)
    label = dict(zip((row.tobytes() for row in ten.x_train), ten.y_train))
    pairs = {
        (label[row.tobytes()], y)
        for row, y in zip(two.x_train, two.y_train)
        if row.tobytes() in label
    }
    assert pairs == {(8, 0), (3, 1)}


@pytest.mark.parametrize(
    "classes", [(1,), (1, 1), (1, 10), (1, 2.5), (1, np.nan), (1, 2**64 + 2), "ab", 3]
)
def test_bad_classes(classes):
    with pytest.raises((ValueError, TypeError), match="`classes` must"):
        data.digits(classes=classes)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: data.mnist1d(n_train=40_001),
            "`n_train` must be an integer from 1 to 40000.*There are 40,000",
        ),
        (lambda: data.mnist1d(n_train=40_000, n_val=1), "`n_val` must be"),
        (lambda: data.mnist1d(n_test=10_001), "`n_test` must be an integer from 1 to 10000"),
        (lambda: data.digits(n_train=1797), "`n_train` must be an integer from 1 to 1796"),
        (
            lambda: data.mnist_small(n_train=4000, n_test=1001),
            "`n_test` must be an integer from 1 to 1000",
        ),
        (lambda: data.line(n=0), "`n` must be"),
        (lambda: data.line(noise=-1), "`noise` must be"),
        (lambda: data.line(low=2, high=2), "`high` must be above low=2"),
        (lambda: data.line(x="random"), "`x` must be one of 'uniform', 'grid'"),
        (lambda: data.line(x=np.ones(3)), r"`x` must have shape \(100,\).*Set n"),
        (lambda: data.line(seed=-1), "`seed` must be"),
        (lambda: data.xor(spread=-1), "`spread` must be"),
        (lambda: data.spirals(kind="swiss"), "`kind` must be one of"),
        (lambda: data.spirals(turns=0), "`turns` must be"),
        (lambda: data.circles(inner=5, close=6), "`close` must be an integer from 0 to 5"),
        (lambda: data.circles(radii=(1, 2)), r"`radii` must have shape \(3,\)"),
        (lambda: data.line(n=2**31), "`n` must be an integer of at most 2,147,483,647"),
        (lambda: data.xor(n_test=10**30), "`n_test` must be an integer of at most 2,147,483,647"),
        (
            lambda: data.circles(inner=10**5000),
            "`inner` must be an integer of at most.*Received: inner=<int>",
        ),
        (lambda: data.line(slope=1e39), r"`slope` must be a finite number in \[-1e\+15, 1e\+15\]"),
        (lambda: data.line(high=1e308), "`high` must be a finite number in"),
        (lambda: data.line(n=1, x=[1e39]), "`x` must lie in"),
        (lambda: data.spirals(turns=1e308), r"`turns` must be a finite number in \(0, 1e\+15\]"),
        (lambda: data.xor(spread=10**400), "`spread` must be a finite number in"),
    ],
)
def test_bad_loader_arguments(call, text):
    with pytest.raises(ValueError, match=text):
        call()


# Toys


def test_line_follows_its_formula():
    dataset = data.line(n=20_000, slope=2, intercept=1, noise=2, high=10, seed=5)
    x, y = dataset.x_train[:, 0], dataset.y_train[:, 0]
    rest = y - 1 - 2 * x.astype(float)
    assert abs(rest.mean()) < 5 * 2 / 20_000**0.5 and abs(rest.std() - 2) < 5 * 2 / 40_000**0.5
    assert (
        stats.kstest(x / 10, "uniform").pvalue > 1e-3
        and stats.kstest(rest / 2, "norm").pvalue > 1e-3
    )
    assert dataset.task == "regression" and dataset.x_train.shape == dataset.y_train.shape == (
        20_000,
        1,
    )


def test_line_test_error_is_the_excess_risk():
    dataset = data.line(slope=2, intercept=1, high=10)
    assert np.allclose(dataset.y_test, 1 + 2 * dataset.x_test, atol=1e-5)
    a, b = (
        0.1,
        0.03,
    )  # a fit that is off by a + b x has the excess risk E(a + b x)^2 for x uniform on [0, 10]
    found = np.mean((a + b * dataset.x_test) ** 2)
    assert found == pytest.approx(a**2 + a * b * 10 + b**2 * 100 / 3, rel=1e-5)


def test_line_x_options_share_the_noise():
    grid, own = data.line(x="grid", high=10), data.line(x=np.linspace(0, 10, 100), low=-5)
    assert same(grid, own) and np.array_equal(grid.x_train[[0, -1], 0], [0, 10])
    uniform = data.line(high=10)
    assert np.allclose(
        grid.y_train - 0.7 * grid.x_train, uniform.y_train - 0.7 * uniform.x_train, atol=1e-5
    )
    assert np.array_equal(data.line(n=50).y_train, data.line(n=100).y_train[:50])


def test_two_loaders_with_one_seed_are_independent():
    n = 4000
    draws = [
        data.line(n, noise=1, slope=0, intercept=0, seed=0).y_train[:, 0],
        data.line(n, slope=0, noise=0, seed=0).x_train[:, 0],
        data.line(n, noise=1, slope=0, intercept=0, seed=1).y_train[:, 0],
        (data.xor(n, seed=0).x_train - np.sign(data.xor(n, spread=0, seed=0).x_train))[:, 0],
        (data.xor(n, seed=0, n_test=n).x_test - np.sign(data.xor(n, spread=0, n_test=n).x_test))[
            :, 0
        ],
        np.linalg.norm(data.spirals(n, seed=0).x_train, axis=1) ** 2,
    ]
    off = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(off).max() < 5 / n**0.5


def test_xor_blobs():
    dataset = data.xor(n=8000, spread=0.2, seed=2)
    corner = np.sign(data.xor(n=8000, spread=0).x_train)
    counts = np.unique(corner, axis=0, return_counts=True)[1]
    assert counts.tolist() == [2000] * 4
    assert np.array_equal(dataset.y_train, (corner[:, 0] != corner[:, 1]))
    noise = dataset.x_train - corner
    assert np.abs(noise.mean(0)).max() < 0.02 and np.abs(noise.std(0) - 0.2).max() < 0.01
    assert [int(n) for n in np.bincount(data.xor(n=7).y_train)] == [4, 3]


@pytest.mark.parametrize(("kind", "power"), [("archimedean", 1), ("fermat", 2)])
def test_spirals_lie_on_their_curve(kind, power):
    dataset = data.spirals(n=501, turns=1.5, radius=2, kind=kind, seed=1)
    x, y = dataset.x_train.astype(float), dataset.y_train
    part = np.linalg.norm(x, axis=1) / 2
    angle = 3 * np.pi * part**power + np.pi * y
    assert np.allclose(
        x, 2 * part[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-4
    )
    assert np.bincount(y).tolist() == [251, 250] and part.max() <= 1
    noisy = data.spirals(n=501, radius=2, kind=kind, noise=0.3, seed=1)
    assert abs((noisy.x_train - x).std() - 0.3) < 0.05
    assert not rows(dataset.x_train) & rows(dataset.x_test)
    even = data.spirals(n=500, turns=1.5, radius=2, kind=kind, even=True, seed=1)
    share = (np.linalg.norm(even.x_train.astype(float), axis=1) / 2) ** 2
    for label in (0, 1):
        assert np.allclose(
            np.sort(share[even.y_train == label]), (np.arange(250) + 0.5) / 250, atol=1e-4
        )
    assert np.array_equal(
        even.x_test, data.spirals(n=500, turns=1.5, radius=2, kind=kind, seed=1).x_test
    )


def test_circles_counts_radii_and_interleaving():
    dataset = data.circles(seed=4)
    x, y = dataset.x_train.astype(float), dataset.y_train
    radius = np.linalg.norm(x, axis=1).round(4)
    assert {r: int(n) for r, n in zip(*np.unique(radius, return_counts=True))} == {
        0.4: 40,
        0.401: 10,
        0.95: 80,
    }
    assert np.array_equal(y, radius != 0.4)
    angle = np.arctan2(x[:, 1], x[:, 0])
    gap = np.abs(
        np.angle(np.exp(1j * (angle[radius == 0.401][:, None] - angle[radius == 0.4])))
    ).min(1)
    assert np.allclose(
        gap, np.pi / 40, atol=1e-5
    )  # midway between neighbours that are 2 pi / 40 apart
    assert len(np.unique(np.linalg.norm(data.circles(close=0).x_train, axis=1).round(4))) == 2
    far = np.linalg.norm(data.circles(n_test=13_000).x_test, axis=1) > 0.9
    assert abs(far.mean() - 80 / 130) < 5 * (0.25 / 13_000) ** 0.5


# Shipped files


def test_canonical_mnist1d():
    dataset = data.mnist1d()
    x = np.concatenate([dataset.x_train, dataset.x_test]).astype(float)
    assert (
        dataset.x_train.shape == (4000, 40)
        and dataset.x_test.shape == (1000, 40)
        and dataset.num_classes == 10
    )
    assert np.bincount(np.concatenate([dataset.y_train, dataset.y_test])).tolist() == [500] * 10
    assert abs(x.mean()) < 1e-6 and abs(x.std() - 1) < 1e-6


def test_the_pool_does_not_hold_the_canonical_set():
    canonical, pool = data.mnist1d(), data.mnist1d(n_train=40_000)
    known = np.concatenate([canonical.x_train, canonical.x_test])
    fresh = np.concatenate([pool.x_train, pool.x_test])
    rounded = rows(known.astype(np.float16).astype(np.float32))
    assert len(rounded) == 5000 and len(rows(fresh)) == 50_000 and not rounded & rows(fresh)
    assert abs(known.std() / fresh.std() - 1) < 1e-3


def test_mnist1d_draws_are_fresh_and_share_the_test_array():
    first, second = data.mnist1d(n_train=500, seed=1), data.mnist1d(n_train=500, seed=2)
    assert (
        first.x_test is second.x_test
        and first.y_test is second.y_test
        and len(first.y_test) == 10_000
    )
    assert len(rows(first.x_train) & rows(second.x_train)) < 25  # 6.25 expected
    drawn = data.mnist1d(n_train=500, n_val=100, n_test=1000, seed=1)
    assert np.array_equal(drawn.x_train, first.x_train)
    assert not rows(drawn.x_train) & rows(drawn.x_val) and rows(drawn.x_test) < rows(first.x_test)
    assert not np.array_equal(drawn.x_test, data.mnist1d(n_test=1000, seed=2).x_test)
    two = [data.mnist1d(n_train=500, seed=i, classes=(3, 8)) for i in range(2)]
    assert two[0].x_test is two[1].x_test and two[0].task == "binary"


def test_any_argument_of_a_draw_leaves_the_canonical_set():
    canonical = data.mnist1d()
    for drawn in (
        data.mnist1d(seed=0),
        data.mnist1d(n_val=10),
        data.mnist1d(n_test=500),
        data.mnist1d(n_train=4000),
    ):
        assert drawn.n_train == 4000 and not rows(drawn.x_train) & rows(canonical.x_train)


@pytest.mark.parametrize(
    ("loader", "total", "shape"), [(data.digits, 1797, (64,)), (data.mnist_small, 5000, (28, 28))]
)
def test_resplits_are_stratified(loader, total, shape):
    for seed in range(5):
        dataset = loader(seed=seed)
        assert dataset.input_shape == shape and dataset.n_train + len(dataset.y_test) == total
        assert dataset.x_train.min() == 0 and dataset.x_train.max() == 1
        whole = np.bincount(dataset.y_train) + np.bincount(dataset.y_test)
        for y in (
            dataset.y_train,
            dataset.y_test,
            loader(n_train=123, n_test=77, seed=seed).y_test,
        ):
            assert np.abs(np.bincount(y, minlength=10) - len(y) * whole / total).max() <= 2


def test_each_example_is_in_the_test_set_as_often_as_any_other():
    counts = {}
    for seed in range(200):
        for row in data.digits(n_train=897, seed=seed).x_test:
            counts[row.tobytes()] = counts.get(row.tobytes(), 0) + 1
    spread = np.var(list(counts.values())) / (200 * 0.5 * 0.5)  # 1 for independent draws
    assert len(counts) == 1797 and 0.8 < spread < 1.2


def test_checksums_and_sizes_of_the_datasheet():
    sheet = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    listed = {
        name: digest
        for digest, name in re.findall(r"^ {4}([0-9a-f]{64})  (\S+)$", sheet, re.MULTILINE)
    }
    files = sorted(path.name for path in (ROOT / "data").glob("*.np*"))
    assert sorted(listed) == files
    for name in files:
        content = (ROOT / "data" / name).read_bytes()
        assert (
            hashlib.sha256(content).hexdigest() == listed[name] and f"| {len(content):,} |" in sheet
        )
    assert sum((ROOT / "data" / name).stat().st_size for name in files) < 8e6


def test_loads_from_any_folder_without_tensorflow(tmp_path):
    code = "import sys; from helpers import data; data.mnist1d(); data.mnist_small(); print('keras' in sys.modules)"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == "False"


def test_a_missing_shipped_file_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(data._files, "SHIPPED", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"other\.npz is missing.*git checkout.*build\.py"):
        data._files.shipped("other.npz")


# Split and label noise


def test_split_divides_the_training_part():
    whole = data.line(slope=2, intercept=1, x="grid", high=10)
    dataset = data.split(whole, 0.2, seed=7)
    assert (dataset.n_train, len(dataset.y_val)) == (80, 20) and dataset.x_test is whole.x_test
    both = np.concatenate([dataset.x_train, dataset.x_val])[:, 0]
    order = np.argsort(both)
    assert np.array_equal(both[order], whole.x_train[:, 0])
    assert np.array_equal(np.concatenate([dataset.y_train, dataset.y_val])[order], whole.y_train)
    assert same(dataset, data.split(whole, 20, seed=7)) and same(
        dataset, data.split(whole, np.float32(0.2), seed=7)
    )
    assert not same(dataset, data.split(whole, 0.2, seed=8))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: data.split(small(), 0.0),
            ValueError,
            r"`val` must be a finite number in \(0, 1\)",
        ),
        (
            lambda: data.split(small(), 0.01),
            ValueError,
            r"`round\(val \* n_train\)` must be an integer from 1 to 5",
        ),
        (
            lambda: data.split(small(), 6),
            ValueError,
            "`val` must be an integer from 1 to 5. .*Both parts",
        ),
        (lambda: data.split(small(), True), TypeError, "`val` must be"),
        (lambda: data.split("x"), TypeError, "`dataset` must be a Dataset"),
        (lambda: data.split(data.split(small())), ValueError, "without a validation part"),
        (lambda: data.split(Dataset.stack([small()])), ValueError, "Split before stacking"),
        (
            lambda: data.with_label_noise(Dataset.stack([small()]), 0.1),
            ValueError,
            "Add noise before stacking",
        ),
        (
            lambda: data.with_label_noise(small(task="regression"), 0.1),
            ValueError,
            "A regression has none",
        ),
        (
            lambda: data.with_label_noise(small(), 1.5),
            ValueError,
            r"`share` must be a finite number in \[0, 1\]",
        ),
        (
            lambda: data.with_label_noise(small(), 0.5, other=1),
            TypeError,
            "`other` must be True or False",
        ),
    ],
)
def test_bad_split_and_noise(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("classes", [None, (3, 8)])
def test_redrawn_labels_change_in_the_expected_share(classes):
    clean = data.mnist1d(n_train=4000, seed=0, classes=classes)
    number = clean.num_classes
    for seed in range(5):
        noisy, changed = data.with_label_noise(clean, 0.15, seed)
        assert changed == np.mean(noisy.y_train != clean.y_train)
        really = round(changed * 4000)
        assert stats.binomtest(really, 600, (number - 1) / number).pvalue > 1e-4
        assert (
            noisy.x_train is clean.x_train
            and noisy.y_test is clean.y_test
            and noisy.num_classes == number
        )


def test_other_labels_change_exactly_the_picked_and_evenly():
    clean = data.mnist1d(n_train=4000, seed=0)
    noisy, changed = data.with_label_noise(clean, 0.3333, other=True)
    assert changed == round(0.3333 * 4000) / 4000
    noisy, changed = data.with_label_noise(clean, 1, other=True)
    assert changed == 1
    step = (noisy.y_train - clean.y_train) % 10
    assert stats.chisquare(np.bincount(step)[1:]).pvalue > 1e-4
    flipped, _ = data.with_label_noise(small(task="binary"), 1.0, other=True)
    assert np.array_equal(flipped.y_train, 1 - small(task="binary").y_train)


def test_redrawn_labels_are_uniform_over_all_classes():
    noisy, _ = data.with_label_noise(data.mnist1d(n_train=4000, seed=0), 1.0)
    assert stats.chisquare(np.bincount(noisy.y_train, minlength=10)).pvalue > 1e-4


def test_more_noise_contains_less_noise():
    clean = data.mnist1d(n_train=1000, seed=0)
    less, more = (data.with_label_noise(clean, share, 3)[0].y_train for share in (0.1, 0.4))
    moved = less != clean.y_train
    assert np.array_equal(less[moved], more[moved]) and (more != clean.y_train).sum() > moved.sum()
    untouched, changed = data.with_label_noise(clean, 0)
    assert changed == 0 and same(untouched, clean)


# Files that do not ship, written here in miniature


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def miniature():
    generator = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 40), ("test", 20)):
        parts[f"x_{part}"] = generator.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        parts[f"y_{part}"] = (np.arange(n) % 10).astype(np.uint8)
    return parts


def write_mnist(folder, parts):
    np.savez(folder / "mnist.npz", **parts)


def write_fashion(folder, parts):
    for part, prefix in (("train", "train"), ("test", "t10k")):
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(parts[f"x_{part}"]))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(idx(parts[f"y_{part}"]))


def write_svhn(folder, parts):
    for part in ("train", "test"):
        x = np.pad(parts[f"x_{part}"], ((0, 0), (2, 2), (2, 2)))[..., None] * np.array(
            [1, 0, 0], np.uint8
        )
        y = np.where(parts[f"y_{part}"] == 0, 10, parts[f"y_{part}"])[:, None]
        savemat(folder / f"{part}_32x32.mat", {"X": np.moveaxis(x, 0, -1), "y": y.astype(np.uint8)})


REMOTE = [
    (data.mnist, write_mnist, "datasets"),
    (data.fashion_mnist, write_fashion, "datasets/fashion-mnist"),
    (data.svhn, write_svhn, "datasets/svhn"),
]


@pytest.mark.parametrize(("loader", "write", "subfolder"), REMOTE)
def test_files_of_the_format_are_read(loader, write, subfolder, miniature, tmp_path, monkeypatch):
    monkeypatch.setenv("GENERALIZE_DOWNLOADS", str(tmp_path))
    (tmp_path / subfolder).mkdir(parents=True)
    write(tmp_path / subfolder, miniature)
    dataset = loader(checksum=False)
    assert same(dataset, loader(folder=tmp_path / subfolder, checksum=False))
    x = dataset.x_train[:, 2:30, 2:30, 0] if loader is data.svhn else dataset.x_train
    assert dataset.input_shape == ((32, 32, 3) if loader is data.svhn else (28, 28))
    assert np.array_equal(np.round(x * 255), miniature["x_train"]) and x.max() == 1
    assert np.array_equal(dataset.y_train, miniature["y_train"])
    assert np.array_equal(dataset.y_test, miniature["y_test"])
    less = loader(n_train=20, n_test=10, seed=1, checksum=False)
    assert np.bincount(less.y_train).tolist() == [2] * 10 and rows(less.x_train) < rows(
        dataset.x_train
    )
    assert rows(less.x_train) != rows(loader(n_train=20, n_test=10, seed=2, checksum=False).x_train)
    two = loader(classes=(0, 9), checksum=False)
    assert two.task == "binary" and two.n_train == 8
    with pytest.raises(ValueError, match="`n_train` must be an integer from 1 to 40"):
        loader(n_train=41, checksum=False)


def test_unpacked_files_and_labels_stored_as_floats_are_read(miniature, tmp_path):
    floats = {k: v.astype(float) if k.startswith("y") else v for k, v in miniature.items()}
    write_mnist(tmp_path, floats)
    write_svhn(tmp_path, miniature)
    for part in ("train", "test"):
        arrays = loadmat(tmp_path / f"{part}_32x32.mat", variable_names=("X", "y"))
        savemat(tmp_path / f"{part}_32x32.mat", {"X": arrays["X"], "y": arrays["y"].astype(float)})
    for path in (tmp_path / "packed", tmp_path / "unpacked"):
        path.mkdir()
        write_fashion(path, miniature)
    for path in list((tmp_path / "unpacked").iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    for loader, folder in ((data.mnist, tmp_path), (data.svhn, tmp_path)):
        assert np.array_equal(loader(folder=folder, checksum=False).y_train, miniature["y_train"])
    packed, unpacked = (
        data.fashion_mnist(folder=tmp_path / name, checksum=False)
        for name in ("packed", "unpacked")
    )
    assert same(packed, unpacked)


@pytest.mark.parametrize(("loader", "write", "subfolder"), REMOTE)
def test_other_files_are_refused_unless_asked_for(loader, write, subfolder, miniature, tmp_path):
    write(tmp_path, miniature)
    with pytest.raises(
        ValueError,
        match=r"(has (md5|sha256) [0-9a-f]+, the one at http|holds 40 rows).*checksum=False",
    ):
        loader(folder=tmp_path)


@pytest.mark.parametrize(("loader", "write", "subfolder"), REMOTE)
def test_a_missing_file_names_file_address_and_folder(
    loader, write, subfolder, tmp_path, monkeypatch
):
    monkeypatch.setenv("GENERALIZE_DOWNLOADS", str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        loader()
    text = str(caught.value)
    assert str(tmp_path / subfolder) in text and re.search(r"https?://\S+\.(npz|gz|mat)", text)
    assert "download=True" in text and "folder=" in text


def test_a_changed_file_is_read_again(miniature, tmp_path):
    write_mnist(tmp_path, miniature)
    assert data.mnist(folder=tmp_path, checksum=False).n_train == 40
    write_mnist(
        tmp_path,
        {**miniature, "x_train": miniature["x_train"][:30], "y_train": miniature["y_train"][:30]},
    )
    assert data.mnist(folder=tmp_path, checksum=False).n_train == 30


def test_a_damaged_shipped_file_says_how_to_get_it_back(tmp_path, monkeypatch):
    monkeypatch.setattr(data._files, "SHIPPED", tmp_path)
    for content in (b"", b"PK\x03\x04 cut off"):
        (tmp_path / "damaged.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged\.npz is damaged.*git checkout -- data"):
            data._files.shipped("damaged.npz")


def test_a_damaged_download_says_how_to_get_it_again(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"<html>not found</html>")
    for checksum in (True, False):
        with pytest.raises(ValueError, match=r"emove it and fetch it again.*download=True"):
            data.mnist(folder=tmp_path, checksum=checksum)


@pytest.mark.parametrize("variable", ["GENERALIZE_DOWNLOADS", "KERAS_HOME"])
def test_downloads_are_found_where_keras_keeps_them_or_where_a_variable_says(
    miniature, tmp_path, monkeypatch, variable
):
    monkeypatch.delenv("GENERALIZE_DOWNLOADS", raising=False)
    (tmp_path / "datasets").mkdir()
    write_mnist(tmp_path / "datasets", miniature)
    monkeypatch.setenv(variable, str(tmp_path))
    assert data.mnist(checksum=False).n_train == 40


@pytest.mark.parametrize(("loader", "write", "subfolder"), REMOTE)
def test_download_only_on_request(loader, write, subfolder, miniature, tmp_path, monkeypatch):
    asked = []

    def get_file(fname, origin, cache_subdir, file_hash):
        asked.append((origin, file_hash))
        write(Path(cache_subdir), miniature)
        return str(Path(cache_subdir) / fname)

    # Through the one door that imports Keras quietly; downloads stay out of tests.
    keras = types.SimpleNamespace(utils=types.SimpleNamespace(get_file=get_file))
    door = types.SimpleNamespace(keras=keras)
    monkeypatch.setitem(sys.modules, "helpers._tensorflow", door)
    folder = tmp_path / "new"
    assert loader(folder=folder, download=True, checksum=False).n_train == 40
    assert len(asked) == 1 and asked[0][0].startswith("http") and asked[0][1] is None
    loader(folder=folder, download=True, checksum=False)
    assert len(asked) == 1  # what is there is not fetched again


def bad_mnist(folder, parts):
    np.savez(folder / "mnist.npz", x_train=parts["x_train"])
    return data.mnist, "lacks the arrays.*x_test"


def float_mnist(folder, parts):
    write_mnist(folder, {**parts, "x_test": parts["x_test"] / 2})
    return data.mnist, r"uint8 of shape \(N, 28, 28\), not float64"


def no_zip(folder, parts):
    (folder / "mnist.npz").write_bytes(b"<html>not found</html>")
    return data.mnist, r"mnist\.npz cannot be read as mnist\.npz"


def wrong_magic(folder, parts):
    write_fashion(folder, parts)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(b"\x01\x02\x03\x04" + bytes(20))
    )
    return data.fashion_mnist, "begins with 00 00 08, this one with 01 02 03"


def short_idx(folder, parts):
    write_fashion(folder, parts)
    content = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(content[:-5]))
    return data.fashion_mnist, r"announces shape \(20, 28, 28\), but 15675 values follow"


def cut_gzip(folder, parts):
    write_fashion(folder, parts)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    return data.fashion_mnist, "train-images-idx3-ubyte.gz cannot be read"


def unequal_counts(folder, parts):
    write_fashion(folder, {**parts, "y_train": parts["y_train"][:-1]})
    return data.fashion_mnist, "do not fit together: there must be one label an image"


def renamed_npy(folder, parts):
    np.save(folder / "mnist.npy", parts["x_train"])
    (folder / "mnist.npy").rename(folder / "mnist.npz")
    return data.mnist, r"an \.npz file is an archive as np\.savez writes it"


def pickled(folder, parts):
    (folder / "mnist.npz").write_bytes(pickle.dumps(parts))
    return data.mnist, r"an \.npz file is an archive as np\.savez writes it"


def labels_as_text(folder, parts):
    write_mnist(folder, {**parts, "y_test": parts["y_test"].astype(str)})
    return data.mnist, "labels must be whole numbers, not <U"


def labels_between(folder, parts):
    write_mnist(folder, {**parts, "y_test": parts["y_test"] + 0.5})
    return data.mnist, "labels must be whole numbers, not float64"


def newer_mat(folder, parts):
    write_svhn(folder, parts)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
    (folder / "test_32x32.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(99))
    return data.svhn, "format 7.3, which SciPy cannot read: save it with -v7"


def wrong_labels(folder, parts):
    write_svhn(folder, parts)
    savemat(
        folder / "test_32x32.mat",
        {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[0], [1]], np.uint8)},
    )
    return data.svhn, "labels run from 1 to 10, these from 0 to 1"


def wrong_variables(folder, parts):
    write_svhn(folder, parts)
    savemat(folder / "train_32x32.mat", {"Z": np.zeros(3)})
    return data.svhn, r"lacks the variables \['X', 'y'\]"


def no_mat(folder, parts):
    write_svhn(folder, parts)
    (folder / "train_32x32.mat").write_bytes(b"<html>not found</html>" * 20)
    return data.svhn, "train_32x32.mat cannot be read"


DAMAGE = [
    bad_mnist,
    float_mnist,
    no_zip,
    wrong_magic,
    short_idx,
    cut_gzip,
    unequal_counts,
    renamed_npy,
    pickled,
    labels_as_text,
    labels_between,
    newer_mat,
    wrong_labels,
    wrong_variables,
    no_mat,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=name_of)
def test_damaged_files_are_named(damage, miniature, tmp_path):
    loader, text = damage(tmp_path, miniature)
    with pytest.raises(ValueError, match=text):
        loader(folder=tmp_path, checksum=False)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(ValueError, match="`folder` must be a folder"):
        data.mnist(folder=tmp_path / "f")


def test_shifts_of_the_whole_range_are_the_recipe_and_others_stay_within_theirs():
    usual = data.mnist1d_fresh(n_train=30, n_test=0, seed=3)
    assert np.array_equal(
        data.mnist1d_fresh(n_train=30, n_test=0, seed=3, shifts=(0, 48)).x_train, usual.x_train
    )
    left, right = (
        data.mnist1d_fresh(n_train=4000, n_test=0, seed=3, shifts=ends)
        for ends in ((0, 1), (47, 48))
    )
    spread = [one.x_train.var(axis=0) for one in (left, right)]  # a digit stands out from the noise
    assert spread[0][:8].mean() > 2 * spread[1][:8].mean()
    for wrong in ((24, 24), (30, 10), (0, 49), (-1, 5)):
        with pytest.raises(ValueError, match="`shifts`"):
            data.mnist1d_fresh(n_train=5, n_test=0, shifts=wrong)
