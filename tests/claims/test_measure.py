import numpy as np
import pytest

from helpers import stats
from helpers.claims import _numbers, measure
from helpers.claims.entries import Region, Setting
from helpers.stats import Interval

RNG = np.random.default_rng(0)
OWN = Interval(0.3, 0.2, 0.4, 0.99, 100, "made up")


def normal(mean, n=100, sd=0.1):
    return np.random.default_rng(n).normal(mean, sd, n)


def setting(statistic="mean difference", region=None, baseline="baseline", **more):
    region = region or Region(at_least=0.2)
    baseline = "" if statistic in ("mean", "proportion") else baseline
    return Setting("", "w/x", region, "reason", "values", baseline, statistic, **more)


def test_intervals_are_those_of_stats():
    a, b = normal(2.0), normal(1.0, 100)
    assert measure.interval("mean", a) == stats.mean_interval(a)
    assert measure.interval("mean difference", a, b) == stats.paired_interval(a, b)
    assert measure.interval("ratio", a, b) == stats.ratio_interval(a, b)
    assert measure.interval("proportion", a > 2) == stats.proportion_interval(sum(a > 2), 100)
    assert measure.interval("mean", a[:49]).method == "Student t"
    assert "BCa" in measure.interval("mean", a[:50]).method


def test_rank_correlations_are_within_data_sets_and_cut_to_their_range():
    x = np.arange(12.0) + np.zeros((5, 1))
    offsets = 100 * np.arange(5.0)[:, None]  # between data sets, which must not count
    y = x.copy()
    y[0, :2] = y[0, 1::-1]
    found = measure.interval("rank correlation", x + offsets, y - offsets)
    assert 0.99 < found.estimate < 1 and found.high == 1.0 and found.n == 5


@pytest.mark.parametrize("statistic", ["mean", "mean difference", "ratio"])
def test_numbers_of_bool_are_refused(statistic):
    with pytest.raises(ValueError, match="proportion"):
        measure.interval(statistic, np.ones(9, bool), None if statistic == "mean" else np.ones(9))


@pytest.mark.parametrize("values", [[0.5, 1.0], [True], [[True, False]]])
def test_shares_of_numbers_are_refused(values):
    with pytest.raises(ValueError, match="true or false"):
        measure.interval("proportion", np.array(values))


def test_an_array_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="late"):
        measure.of({"early": np.ones(3), "constants": {}}, "late")


def test_rows_of_different_length_are_refused():
    with pytest.raises(ValueError, match="baseline"):
        measure.effects("mean difference", np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="baseline"):
        measure.paired_shares(np.ones(3, bool), np.ones(4, bool))


def test_paired_shares_by_hand():
    # Newcombe 1998 (paired), table II: 36, 12, 2, 0 of 50: method 10 gives 0.0569 to 0.3404 at 95 %.
    one = np.repeat([True, True, False, False], [36, 12, 2, 0])
    two = np.repeat([True, False, True, False], [36, 12, 2, 0])
    found = measure.paired_shares(one, two, 0.95)
    assert found.estimate == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=5e-4)


@pytest.mark.parametrize("cells", [(100, 0, 0, 0), (0, 100, 0, 0), (0, 0, 0, 100), (50, 0, 0, 50)])
def test_paired_shares_at_the_ends_stay_in_range(cells):
    one = np.repeat([True, True, False, False], cells)
    two = np.repeat([True, False, True, False], cells)
    found = measure.paired_shares(one, two)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize("p", [(0.5, 0.5), (0.95, 0.85)])
@pytest.mark.parametrize("together", [0.0, 0.6])
def test_paired_shares_cover(p, together):
    # Multinomial counts of the four cells; `together` is the share of pairs drawn by one common number.
    n, repeats, rng = 60, 500, np.random.default_rng(4)
    missed = 0
    for _ in range(repeats):
        u, v = rng.random((2, n))
        v = np.where(rng.random(n) < together, u, v)
        found = measure.paired_shares(u < p[0], v < p[1])
        missed += not found.low <= p[0] - p[1] <= found.high
    assert missed / repeats <= 0.01 + 4 * np.sqrt(0.0099 / repeats)


def test_pairs_make_the_interval_narrower():
    one = RNG.random(300) < 0.5
    two = one.copy()
    two[:30] = ~two[:30]
    paired = measure.paired_shares(one, two)
    apart = stats.proportion_difference_interval(one.sum(), 300, two.sum(), 300)
    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)


def test_one_run_counts_single_replicates_in_the_region():
    found = np.array([-1.0, 0.0, 0.1, 0.2, 0.3])
    assert measure.one_run(found, Region(at_least=0.2)) == 0.4
    assert measure.one_run(found, Region(at_least=0.0), strict_at=0.0) == 0.6


def test_short_numbers():
    texts = [_numbers.short(x) for x in (0.0, 0.123456, 12.34, 999.6, 123456.0, 3e-7, -0.5, 1e-5)]
    assert texts == ["0", "0.123", "12.3", "1,000", "123,456", "3e-07", "-0.5", "1e-05"]
