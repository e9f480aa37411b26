"""Intervals against closed forms, published tables and invariances."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats

from helpers import stats

SMALL = np.array([4.1, 3.9, 5.2, 4.8, 4.4, 5.9, 3.1, 4.0, 4.6, 5.0])
LARGE = np.random.default_rng(5).exponential(1.0, 80)


def ends(interval):
    return interval.low, interval.high


def test_interval_is_frozen_and_names_its_parts():
    found = stats.mean_interval(SMALL)
    assert [f.name for f in dataclasses.fields(found)] == [
        "estimate",
        "low",
        "high",
        "level",
        "n",
        "method",
    ]
    assert (found.level, found.n, found.method) == (0.99, 10, "Student t")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.low = 0.0


@pytest.mark.parametrize(
    ("n", "level", "t"),  # printed in every t table
    [
        (2, 0.95, 12.706),
        (5, 0.95, 2.776),
        (10, 0.99, 3.250),
        (20, 0.99, 2.861),
        (30, 0.99, 2.756),
        (41, 0.99, 2.704),
    ],
)
def test_t_interval_has_the_tabled_half_width(n, level, t):
    values = np.random.default_rng(n).normal(3.0, 2.0, n)
    found = stats.mean_interval(values, level)
    standard_error = values.std(ddof=1) / math.sqrt(n)
    assert found.estimate == pytest.approx(values.mean())
    assert found.high - found.estimate == pytest.approx(t * standard_error, rel=3e-4)
    assert found.estimate - found.low == pytest.approx(t * standard_error, rel=3e-4)


def test_t_by_hand():
    # 1, 2, 3: mean 2, s = 1, t_2 at 95 % = 4.3027, half-width 4.3027 / sqrt(3) = 2.4841
    assert ends(stats.mean_interval([1, 2, 3], 0.95)) == pytest.approx(
        (2 - 2.4841, 2 + 2.4841), abs=1e-4
    )


def test_method_changes_at_fifty_units():
    assert stats.mean_interval(LARGE[:49]).method == "Student t"
    assert stats.mean_interval(LARGE[:50]).method == "Student t and BCa bootstrap"


def test_from_fifty_units_the_interval_is_deterministic_and_holds_t_and_an_independent_bootstrap():
    found, n = stats.mean_interval(LARGE), len(LARGE)
    assert found == stats.mean_interval(LARGE)
    rng, t = np.random.default_rng(99), scipy.stats.t.ppf(0.995, n - 1)
    level = 1 - 2 * scipy.stats.norm.cdf(-t * math.sqrt(n / (n - 1)))
    other = scipy.stats.bootstrap(
        (LARGE,), np.mean, confidence_level=level, n_resamples=20_000, method="BCa", rng=rng
    )
    half, width = t * LARGE.std(ddof=1) / math.sqrt(n), found.high - found.low
    low, high = other.confidence_interval
    assert found.low == pytest.approx(min(low, LARGE.mean() - half), abs=0.06 * width)
    assert found.high == pytest.approx(max(high, LARGE.mean() + half), abs=0.06 * width)


def test_differences_of_pairs_with_heavy_tails_are_missed_in_one_of_a_hundred():
    rng = np.random.default_rng(5)
    missed = [
        i.low > 0 or i.high < 0 for i in map(stats.mean_interval, rng.standard_t(3, (300, 50)))
    ]
    assert sum(missed) <= 4  # t alone misses 1 or 2 on average, BCa alone 10


def test_bca_leans_with_the_skew_and_narrows_with_n():
    found = stats.mean_interval(LARGE)
    assert found.high - found.estimate > found.estimate - found.low
    normal = np.random.default_rng(0).normal(size=2000)
    wide, narrow = stats.mean_interval(normal[:100]), stats.mean_interval(normal)
    assert narrow.high - narrow.low == pytest.approx(
        2 * 2.576 * normal.std() / math.sqrt(2000), rel=0.05
    )
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["t", "bca"])
def test_shift_scale_order_and_sign(values):
    found = stats.mean_interval(values)
    moved = stats.mean_interval(100 + 7 * values)
    assert (moved.estimate, *ends(moved)) == pytest.approx(
        [100 + 7 * x for x in (found.estimate, *ends(found))]
    )
    flipped = stats.mean_interval(-values)
    assert (-flipped.high, -flipped.low) == pytest.approx(ends(found))
    wider = stats.mean_interval(values, 0.999)
    assert wider.low < found.low < found.high < wider.high


@pytest.mark.parametrize("n", [2, 10, 50, 200])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e8])
def test_constant_data_give_zero_width_in_silence(n, value):
    found = stats.mean_interval(np.full(n, value))
    assert found.low == found.high == found.estimate == pytest.approx(value)


def test_constant_up_to_rounding_and_one_odd_value():
    values = np.full(60, 0.3)
    values[::2] = 0.1 + 0.2
    found = stats.mean_interval(values)
    assert found.low == found.high
    values = np.zeros(60)
    values[7] = 1.0
    found = stats.mean_interval(values)
    assert 0 <= found.low <= 1 / 60 < found.high


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (stats.mean_interval, ([1.0],)),
        (stats.mean_interval, ([],)),
        (stats.paired_interval, ([1.0], [2.0])),
        (stats.ratio_interval, ([1.0], [2.0])),
        (stats.required_n, ([1.0], 1.0)),
    ],
)
def test_one_unit_is_refused(function, arguments):
    with pytest.raises(ValueError, match="at least 2 independent units"):
        function(*arguments)


@pytest.mark.parametrize("bad", [[1.0, np.nan], [1.0, np.inf]])
def test_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        stats.mean_interval(bad)


@pytest.mark.parametrize("level", [0.0, 1.0, 99])
def test_level_is_checked(level):
    for call in (
        lambda: stats.mean_interval(SMALL, level),
        lambda: stats.proportion_interval(1, 2, level),
    ):
        with pytest.raises(ValueError, match="level"):
            call()


@pytest.mark.parametrize("n", [10, 60])
def test_paired_uses_differences(n):
    rng = np.random.default_rng(n)
    common = rng.normal(0, 100, n)
    a, b = common + rng.normal(1, 1, n), common
    found, swapped = stats.paired_interval(a, b), stats.paired_interval(b, a)
    assert found.high - found.low < 4  # the common part of size 100 cancels
    assert (-swapped.estimate, -swapped.high, -swapped.low) == pytest.approx(
        (found.estimate, *ends(found))
    )
    with pytest.raises(ValueError, match="baseline"):
        stats.paired_interval(a, b[:-1])


@pytest.mark.parametrize("n", [10, 60])
def test_ratio_is_the_geometric_mean(n):
    rng = np.random.default_rng(n)
    a, b = rng.lognormal(0.3, 0.2, n), rng.lognormal(0, 0.2, n)
    found = stats.ratio_interval(a, b)
    assert found.estimate == pytest.approx(scipy.stats.gmean(a / b))
    logs = stats.paired_interval(np.log(a), np.log(b))
    assert np.log(ends(found)) == pytest.approx(ends(logs))
    swapped = stats.ratio_interval(b, a)
    assert (1 / swapped.high, 1 / swapped.low) == pytest.approx(ends(found))
    assert ends(stats.ratio_interval(1000 * a, 1000 * b)) == pytest.approx(ends(found))
    assert ends(stats.ratio_interval(a / b)) == pytest.approx(ends(found))


@pytest.mark.parametrize(
    ("a", "b", "name"), [([1, 0], [1, 1], "values"), ([1, 2], [1, -1], "baseline")]
)
def test_ratio_refuses_what_has_no_logarithm(a, b, name):
    with pytest.raises(ValueError, match=f"`{name}` must be positive"):
        stats.ratio_interval(a, b)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),  # Newcombe 1998 (Statistics in Medicine 17:857), Table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(k, n, low, high):
    assert ends(stats.proportion_interval(k, n, 0.95)) == pytest.approx((low, high), abs=5e-5)


def test_wilson_by_formula_and_mirror():
    z, k, n = 2.5758293035489004, 7, 40
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    found = stats.proportion_interval(k, n)
    assert ends(found) == pytest.approx((centre - half, centre + half))
    mirror = stats.proportion_interval(n - k, n)
    assert (1 - mirror.high, 1 - mirror.low) == pytest.approx(ends(found))
    assert (
        stats.proportion_interval(0, 10).low == 0.0
        and stats.proportion_interval(10, 10).high == 1.0
    )


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="successes|`n`"):
        stats.proportion_interval(k, n)


@pytest.mark.parametrize(
    (
        "k1",
        "n1",
        "k2",
        "n2",
        "low",
        "high",
    ),  # Newcombe 1998 (Statistics in Medicine 17:873), Table II, method 10
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_newcombe_as_published(k1, n1, k2, n2, low, high):
    found = stats.proportion_difference_interval(k1, n1, k2, n2, 0.95)
    assert ends(found) == pytest.approx((low, high), abs=5e-5)
    assert found.estimate == pytest.approx(k1 / n1 - k2 / n2)
    swapped = stats.proportion_difference_interval(k2, n2, k1, n1, 0.95)
    assert (-swapped.high, -swapped.low) == pytest.approx(ends(found))


def test_spearman_known_values():
    x = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [106, 100, 86, 101, 99], [1, 2, 2, 3, 4]]
    y = [[1, 8, 27, 64, 125], [5, 4, 3, 2, 1], [7, 27, 2, 50, 28], [1, 2, 3, 4, 5]]
    # third row by hand: ranks x 5 3 1 4 2, y 2 3 1 5 4; sum d^2 = 9 + 0 + 0 + 1 + 4 = 14; 1 - 6 * 14 / 120 = 0.3
    # fourth, one tie: Pearson of the mid-ranks 1, 2.5, 2.5, 4, 5 with 1..5 = 9.5 / sqrt(9.5 * 10)
    assert stats.rank_correlations(x, y) == pytest.approx([1.0, -1.0, 0.3, math.sqrt(0.95)])


def test_rank_correlation_is_within_data_sets():
    rng = np.random.default_rng(3)
    offset = 100 * np.arange(12)[:, None]  # strong between data sets, nothing within
    x, y = rng.normal(size=(12, 40)) + offset, rng.normal(size=(12, 40)) + offset
    found = stats.rank_correlation(x, y)
    assert found.low < 0 < found.high and found.n == 12
    assert stats.rank_correlation(x, np.exp(x / 1000)).estimate == pytest.approx(1.0)  # ranks only
    assert ends(stats.rank_correlation(x, x)) == pytest.approx((1.0, 1.0))
    noisy = stats.rank_correlation(x[:3, :4], np.where(np.arange(4) < 3, x[:3, :4], y[:3, :4]))
    assert -1 <= noisy.low <= noisy.high <= 1


def test_rank_correlation_errors():
    x = np.arange(12.0).reshape(3, 4)
    with pytest.raises(ValueError, match="row 1 constant"):
        stats.rank_correlations(x, np.where(np.arange(3)[:, None] == 1, 0.0, x))
    with pytest.raises(ValueError, match="`y` must have shape"):
        stats.rank_correlations(x, x[:, :3])
    with pytest.raises(ValueError, match="at least 3 pairs"):
        stats.rank_correlations(x[:, :2], x[:, :2])


def test_a_ratio_interval_wider_than_floats_stays_positive_and_finite():
    found = stats.ratio_interval([1e-10, 1e10])
    assert 0 < found.low < 1e-300 and 1e300 < found.high < np.inf


def test_values_whose_squares_vanish_count_as_equal():
    assert ends(stats.mean_interval([0.0, 2e-200])) == (1e-200, 1e-200)


@pytest.mark.parametrize("groups", [[1.0, np.nan], [None, "a"], [[1], [1, 2]]])
def test_labels_that_do_not_sort_are_refused(groups):
    with pytest.raises((TypeError, ValueError), match="`groups` must be"):
        stats.average_units([1, 2], groups)


def test_average_units():
    groups = [3, 1, 3, 1, 2]
    assert stats.average_units([1, 2, 3, 4, 9], groups).tolist() == [3.0, 9.0, 2.0]
    assert stats.average_units([1, 2, 3], ["b", "a", "b"]).tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="one label per value"):
        stats.average_units([1, 2], [1])


def test_required_n_is_the_smallest_that_is_narrow_enough():
    pilot = np.random.default_rng(1).normal(0, 1.3, 25)
    for half_width in (0.1, 0.5, 3.0):
        n, s = stats.required_n(pilot, half_width), pilot.std(ddof=1)
        reached = [scipy.stats.t.ppf(0.995, m - 1) * s / math.sqrt(m) for m in (n - 1, n) if m > 1]
        assert reached[-1] <= half_width < ([*reached, math.inf][0] if n > 2 else math.inf)
    assert stats.required_n(pilot, 0.5, assurance=0.9) > stats.required_n(pilot, 0.5)
    assert stats.required_n(10 * pilot, 5.0) == stats.required_n(pilot, 0.5)
    assert stats.required_n(np.zeros(5), 0.1) == 2
    with pytest.raises(ValueError, match="half_width"):
        stats.required_n(pilot, 0.0)
