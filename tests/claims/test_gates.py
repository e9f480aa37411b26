"""Gates: what each asks of hand-made data."""

import numpy as np
import pytest
from test_measure import OWN, normal, setting

from helpers.claims import gates
from helpers.claims.entries import Gate, Region
from helpers.stats import Interval


def passed(gate, quantity, own=OWN, **arrays):
    return gates.ask(gate, quantity, arrays, own).passed


ATTAINABLE = Gate("attainable", "gain")


@pytest.mark.parametrize("gain, right", [(0.6, True), (0.41, False), (0.1, False), (-0.6, False)])
def test_the_largest_effect_must_be_twice_the_distance(gain, right):
    # d = 0.2: 0.4 is needed, by the lower limit; 0.41 has a limit below
    assert passed(ATTAINABLE, setting(), gain=normal(gain)) == right
    fall = setting(region=Region(at_most=-0.2))  # the gain is a size, towards the region
    assert passed(ATTAINABLE, fall, gain=normal(gain)) == right


def test_a_gate_with_a_baseline_is_signed_like_its_claim():
    gate, fall = Gate("attainable", "best", "plain"), setting(region=Region(at_most=-0.2))
    assert passed(gate, fall, best=normal(1.0), plain=normal(1.6, 100))
    assert not passed(gate, fall, best=normal(1.6), plain=normal(1.0, 100))


@pytest.mark.parametrize("best, right", [(0.3, True), (0.6, False), (0.9, False)])
def test_a_ratio_must_be_able_to_reach_the_square_of_the_edge(best, right):
    half = setting("ratio", Region(at_most=0.75))  # 0.75 ** 2 = 0.5625
    assert passed(ATTAINABLE, half, gain=normal(best, sd=0.01)) == right


def test_where_the_region_begins_at_no_effect_the_smallest_effect_counts():
    any_size = setting(region=Region(at_least=0.0), smallest=0.2)
    assert passed(ATTAINABLE, any_size, gain=normal(0.6))
    assert not passed(ATTAINABLE, any_size, gain=normal(0.3))


@pytest.mark.parametrize("n, right", [(300, True), (100, False)])
def test_a_share_must_be_able_to_reach_beyond_its_edge(n, right):
    # 100 of 100 have a lower limit of 0.938: at least 0.95 is out of reach
    reliably = setting("proportion", Region(at_least=0.95), reference=0.5)
    own = Interval(0.99, 0.9, 1.0, 0.99, n, "Wilson")
    assert passed(Gate("attainable", best=1.0), reliably, own) == right
    assert passed(Gate("attainable", best=0.96), reliably, own) is False


def test_a_share_that_must_be_small_reaches_below():
    rarely = setting("proportion", Region(at_most=0.05), reference=0.5)
    for n, right in ((300, True), (100, False)):
        own = Interval(0.0, 0.0, 0.1, 0.99, n, "Wilson")
        assert passed(Gate("attainable", best=0.0), rarely, own) == right


def test_a_capped_mean_uses_its_own_width():
    accuracy = setting("mean", Region(at_least=0.9), reference=0.5)
    own = Interval(0.8, 0.75, 0.85, 0.99, 50, "t")
    assert passed(Gate("attainable", best=1.0), accuracy, own)
    assert not passed(Gate("attainable", best=0.94), accuracy, own)


def test_a_band_must_be_within_reach_from_no_effect():
    half = setting("proportion", Region(0.4, 0.6, (0.25, 0.75)), reference=0.0)
    own = Interval(0.3, 0.2, 0.4, 0.99, 300, "Wilson")
    assert passed(Gate("attainable", best=0.5), half, own)
    assert not passed(Gate("attainable", best=0.42), half, own)
    down = setting("proportion", Region(0.4, 0.6, (0.25, 0.75)), reference=1.0)
    assert passed(Gate("attainable", best=0.5), down, own)
    assert not passed(Gate("attainable", best=0.58), down, own)


@pytest.mark.parametrize("rival, right", [(0.6, True), (0.35, False), (0.1, False), (-0.6, False)])
def test_an_inferior_rival_must_miss(rival, right):
    no_worse = setting(region=Region(at_most=0.2))
    arrays = {"gain": 1 + normal(rival), "baseline": np.ones(100)}
    found = gates.ask(ATTAINABLE, no_worse, arrays, OWN)
    assert found.passed == right and found.needed == pytest.approx(0.4)
    assert found.question == gates.QUESTION_OF_RIVAL


@pytest.mark.parametrize("rival, right", [(0.6, True), (0.1, False), (-0.6, True)])
def test_a_rival_of_an_equivalence_may_miss_on_either_side(rival, right):
    similar = setting(region=Region(-0.2, 0.2))
    assert passed(ATTAINABLE, similar, gain=1 + normal(rival), baseline=np.ones(100)) == right


@pytest.mark.parametrize("mean, right", [(0.3, True), (0.399, False), (0.5, False)])
def test_a_manipulation_must_lie_wholly_in_its_region(mean, right):
    gate = Gate("manipulation", "train", statistic="mean", region=Region(at_most=0.4))
    assert passed(gate, setting(), train=normal(mean)) == right


def test_a_manipulation_may_be_a_share_or_a_difference():
    share = Gate("manipulation", "fitted", statistic="proportion", region=Region(at_least=0.95))
    assert passed(share, setting(), fitted=np.ones(300, bool))
    assert not passed(share, setting(), fitted=np.ones(100, bool))
    worse = Gate("manipulation", "bad", "good", "mean difference", Region(at_most=-0.05))
    assert passed(worse, setting(), bad=normal(0.6), good=normal(0.9, 100))
    assert not passed(worse, setting(), bad=normal(0.9), good=normal(0.9))


def halves(noise, n=30, k=40, seed=0):
    """Return two halves of a measure, whose true part has variance 1 and each half's noise `noise` squared."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k, 1)) + noise * rng.normal(size=(n, k, 2))


@pytest.mark.parametrize("noise, right", [(0.2, True), (2.0, False)])
def test_a_correlation_must_lie_within_the_ceiling_of_its_ruler(noise, right):
    gate = Gate("reliability", first="a", second="b")
    quantity = setting("rank correlation", Region(at_least=0.7))
    found = gates.ask(gate, quantity, {"a": halves(noise), "b": halves(0.2, seed=1)}, OWN)
    assert found.passed == right and found.needed == pytest.approx(0.7 / 0.85)
    assert found.low <= found.value <= found.high


def test_the_ceiling_is_the_one_of_spearman_and_brown():
    # reliability of the mean of both halves: 1 / (1 + noise^2 / 2); ranks of normal data shrink it a little
    gate = Gate("reliability", first="a", second="b")
    quantity = setting("rank correlation", Region(at_least=0.3))
    arrays = {"a": halves(1.0, 200, 100), "b": halves(1.0, 200, 100, seed=5)}
    assert gates.ask(gate, quantity, arrays, OWN).value == pytest.approx(2 / 3, abs=0.03)
    one = Gate("reliability", first="a")  # the other measure is exact
    assert gates.ask(one, quantity, arrays, OWN).value == pytest.approx((2 / 3) ** 0.5, abs=0.03)


def test_two_replicates_say_nothing_of_a_ruler():
    quantity = setting("rank correlation", Region(at_least=0.7))
    found = gates.ask(Gate("reliability", first="a"), quantity, {"a": halves(0.1, n=2)}, OWN)
    assert not found.passed and "fewer than three" in found.answer


def test_halves_of_another_shape_are_refused():
    quantity = setting("rank correlation", Region(at_least=0.7))
    with pytest.raises(ValueError, match="halves"):
        gates.ask(Gate("reliability", first="a"), quantity, {"a": np.ones((9, 4))}, OWN)


@pytest.mark.parametrize("left, right", [(80, True), (79, False)])
def test_a_selection_needs_four_of_five_pairs(left, right):
    fit = np.arange(100) < left
    keep, result = gates.selected(Gate("selection", "fit"), {"fit": fit})
    assert result.passed == right and keep.sum() == left and f"{left} of 100" in result.answer


def test_a_selection_of_both_groups_counts_pairs():
    one, two = np.arange(100) < 90, np.arange(100) >= 15
    keep, result = gates.selected(Gate("selection", "a", "b"), {"a": one, "b": two})
    assert keep.sum() == 75 and not result.passed


def test_only_arrays_with_one_row_each_are_selected():
    arrays = {"x": np.arange(4), "curve": np.ones((4, 3)), "grid": np.arange(3), "constants": {}}
    found = gates.rows(arrays, np.array([True, False, True, True]))
    assert list(found) == ["x", "curve"] and list(found["x"]) == [0, 2, 3]
