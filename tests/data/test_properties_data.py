"""Data sets and the start of a notebook under calls that Hypothesis draws.

No valid call ends in an exception or an unreported NaN, and every invalid one in an error that names the argument.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make
from wrong_values import (
    INF,
    NO_FLAG,
    NO_NUMBER,
    NO_SEED,
    SEED,
    changes,
    no_array,
    no_real,
    no_size,
    refused,
)

from helpers import data, notebook
from helpers.data import Dataset

# data -------------------------------------------------------------------------------------------------------------

SIZE, LENGTH = st.integers(1, 30), st.floats(0, 1e15)
PAIR, ABOVE, ANY = st.integers(2, 30), st.floats(1e-300, 1e15), st.floats(-1e15, 1e15)
NO_LENGTH = no_real(0.0, 1e15)
NO_CLASSES = no_array((2,), -1.0, 10.0, 0.5) | st.sampled_from([[1], [1, 1], (), [[0, 1], [2, 3]]])
TOYS = {  # valid values, wrong values of the same arguments
    data.line: (
        {
            "n": SIZE,
            "slope": ANY,
            "intercept": ANY,
            "noise": LENGTH,
            "x": st.sampled_from(["uniform", "grid"]),
        },
        {
            "n": no_size(),
            "slope": no_real(-1e15, 1e15),
            "noise": NO_LENGTH,
            "x": no_array((99,), 1e16, free=True),
            "seed": NO_SEED,
        },
    ),
    data.xor: (
        {"n": PAIR, "spread": LENGTH, "n_test": PAIR},
        {"n": no_size(2), "spread": NO_LENGTH, "n_test": no_size(2), "seed": NO_SEED},
    ),
    data.spirals: (
        {
            "n": PAIR,
            "turns": ABOVE,
            "noise": LENGTH,
            "radius": ABOVE,
            "even": st.booleans(),
            "n_test": PAIR,
        },
        {
            "turns": no_real(0.0, 1e15, True),
            "kind": NO_NUMBER,
            "even": NO_FLAG,
            "radius": no_real(0.0, 1e15, True),
        },
    ),
    data.circles: (
        {
            "inner": st.integers(10, 30),
            "outer": SIZE,
            "close": st.integers(0, 10),
            "radii": st.tuples(LENGTH, LENGTH, LENGTH),
            "n_test": SIZE,
        },
        {
            "inner": no_size(),
            "close": no_size(0),
            "radii": no_array((3,), -1.0, 1e16),
            "n_test": no_size(),
        },
    ),
    data.digits: (
        {
            "n_train": SIZE,
            "n_test": SIZE,
            "classes": st.none() | st.permutations(range(10)).map(lambda p: p[:3]),
        },
        {"n_train": no_size(), "n_test": no_size(), "seed": NO_SEED, "classes": NO_CLASSES},
    ),
    data.mnist1d: (
        {"n_train": SIZE, "n_val": SIZE, "n_test": SIZE, "classes": st.none() | st.just((7, 2))},
        {"n_train": no_size(), "n_val": no_size(), "n_test": no_size(), "classes": NO_CLASSES},
    ),
    data.mnist1d_fresh: (
        {"n_train": SIZE, "n_val": SIZE, "n_test": SIZE, "classes": st.none() | st.just((7, 2))},
        {"n_train": no_size(), "n_val": no_size(0), "n_test": no_size(0), "classes": NO_CLASSES},
    ),
}


@pytest.mark.parametrize("loader", TOYS, ids=lambda loader: loader.__name__)
@settings(max_examples=25)
@given(drawn=st.data())
def test_loaders_return_finite_numbers_and_labels_in_range_or_name_the_argument(loader, drawn):
    valid, wrong = TOYS[loader]
    options = drawn.draw(st.fixed_dictionaries({"seed": SEED}, optional=valid))
    dataset = loader(**options)
    for part in ("train", "val", "test"):
        x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
        assert x is None or (len(x) == len(y) and np.all(np.isfinite(x)) and np.all(np.isfinite(y)))
        assert (
            x is None
            or dataset.task == "regression"
            or (y.min() >= 0 and y.max() < dataset.num_classes)
        )
    again = loader(**options)
    assert np.array_equal(dataset.x_train, again.x_train) and np.array_equal(
        dataset.y_train, again.y_train
    )
    name, value = drawn.draw(changes(wrong))
    refused(lambda: loader(**(options | {name: value})), name)


FIELDS = {
    "x_train": np.zeros((4, 2)),
    "y_train": [0, 1, 1, 0],
    "x_val": np.ones((2, 2)),
    "y_val": [1, 0],
    "name": "four",
}
NO_NAME = NO_FLAG.filter(lambda value: not isinstance(value, str)) | st.just("")
WRONG_FIELDS = {
    "x_train": no_array((4, 2), 1e39),
    "y_train": no_array((4,), -1.0, 0.5, 2.0**40),
    "x_val": no_array((2, 2), 1e39) | st.none(),
    "task": NO_NUMBER | st.none(),
    "name": NO_NAME,
    "num_classes": no_size(2),
}


@settings(max_examples=150)
@given(st.sampled_from(["binary", "classification"]), changes(WRONG_FIELDS))
def test_a_dataset_is_refused_with_the_name_of_the_argument(task, change):
    x_or_y = [change[0].replace("x_", "y_"), change[0].replace("y_", "x_")]
    refused(lambda: Dataset(**(FIELDS | {"task": task} | dict([change]))), *x_or_y)


@given(st.integers(2, 12), st.data())
def test_split_and_label_noise_keep_what_they_promise(n, drawn):
    dataset, seed = make("classification", (2,), n, 3), drawn.draw(SEED)
    count = drawn.draw(st.integers(1, n - 1))
    parts = data.split(dataset, drawn.draw(st.sampled_from([count, count / n])), seed)
    assert (parts.n_train, len(parts.y_val)) == (n - count, count)
    share, other = drawn.draw(st.floats(0, 1)), drawn.draw(st.booleans())
    noisy, changed = data.with_label_noise(dataset, share, seed, other=other)
    assert set(noisy.y_train) <= {0, 1, 2} and 0 <= changed <= round(share * n) / n
    refused(
        lambda: data.split(dataset, drawn.draw(NO_NUMBER | st.floats(1, INF) | st.integers(n))),
        "val",
        "round(val",
    )
    refused(lambda: data.with_label_noise(dataset, drawn.draw(no_real(0.0, 1.0))), "share")
    refused(lambda: data.with_label_noise(dataset, 0.5, other=drawn.draw(NO_FLAG)), "other")
    refused(lambda: data.split(dataset, 1, drawn.draw(NO_SEED)), "seed")
    refused(
        lambda: Dataset.stack(
            drawn.draw(
                NO_NUMBER | st.sampled_from([3, dataset, [dataset, make("binary", outputs=2)]])
            )
        ),
        "datasets",
    )


# notebook ---------------------------------------------------------------------------------------------------------


@given(NO_NUMBER | st.sampled_from([None, "fast", "Full", True]), NO_SEED)
def test_a_notebook_names_the_profiles_there_are(profile, seed):
    known = ", ".join(map(repr, notebook.PROFILES))
    with pytest.raises(ValueError, match=rf"`profile` must be one of {known}\. Received: profile="):
        notebook.start("01_overfitting", profile, 0)
    refused(lambda: notebook.start("01_overfitting", "quick", seed), "seed")
