"""Values that an argument cannot take, drawn by Hypothesis, and what a call with one must end in.

The same values are drawn every time, so that a failing property is a bug and not a matter of luck.
"""

import math
import os
import re
from pathlib import Path

import hypothesis.configuration
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

# Derandomised, so no data base of failures either; how long an example takes says nothing here.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# New examples every time, and more of them: what a nightly run is for (HYPOTHESIS_PROFILE=random).
settings.register_profile(
    "random", max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "same")
hypothesis.configuration.set_hypothesis_home_dir(Path(__file__).parents[1] / "build" / "hypothesis")
INF, NAN, MOST = math.inf, math.nan, 2**31 - 1


def refused(call, *names):
    """Assert that a call ends in an error of ours that names one of the arguments and says what was received."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    text, raised = str(caught.value), Path(str(caught.traceback[-1].path))
    assert type(caught.value) in (TypeError, ValueError) and "helpers" in raised.parts, (
        raised,
        text,
    )
    assert any(f"`{name}" in text for name in names), text
    assert re.search("Received|has the key|takes no|would turn|needs `baseline`", text), text


def changes(table):
    """Draw one argument and a wrong value for it."""
    return st.sampled_from(sorted(table)).flatmap(
        lambda name: st.tuples(st.just(name), table[name])
    )


TEXT = st.text("ab \0\né", max_size=5)  # no word that means something
NO_NUMBER = TEXT | st.sampled_from(
    [
        b"3",
        [None],
        {1: 2},
        1j,
        int,
        slice(1),
        [[1.0], [1.0, 2.0]],
        np.array("x"),
        np.array([1, "a"], object),
    ]
)
NO_INTEGER = (
    NO_NUMBER | st.booleans() | st.floats() | st.sampled_from([np.array(2), np.float32(2), []])
)
NO_FLAG = NO_NUMBER | st.sampled_from([None, 0, 1, NAN, [True], np.array([True])])
NO_ARRAY = NO_NUMBER | st.sampled_from([{}, {1}, [None, 1], ["1", "2"], [1j, 2], object()])


def no_size(low=1):
    return NO_INTEGER | st.integers(max_value=low - 1) | st.integers(min_value=MOST + 1)


def no_real(low=-INF, high=INF, low_open=False, high_open=False):
    below = st.floats(max_value=low, exclude_max=not low_open and low > -INF, allow_nan=False)
    above = st.floats(min_value=high, exclude_min=not high_open and high < INF, allow_nan=False)
    far = st.sampled_from([NAN, INF, -INF, 10**400, -(10**400), np.array([1.0, 2.0, 3.0]), []])
    return NO_NUMBER | st.booleans() | far | below | above


def no_array(shape, *values, free=False):
    """Draw what is no array of a shape (``free``: of so many axes), or holds one of the wrong ``values`` somewhere."""

    def spoilt(where, value):
        array = np.zeros(shape)
        array.flat[where] = value
        return array

    shapes = array_shapes(min_dims=0, min_side=0, max_side=4)
    others = shapes.filter(lambda found: len(found) != len(shape) if free else found != shape).map(
        np.ones
    )
    places = st.integers(0, math.prod(shape) - 1)
    return NO_ARRAY | others | st.builds(spoilt, places, st.sampled_from([NAN, INF, -INF, *values]))


SEED = st.integers(0, 2**70)
NO_SEED = NO_INTEGER | st.integers(max_value=-1)
