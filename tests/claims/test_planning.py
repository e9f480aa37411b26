"""The chances printed before any data, and simulated experiments at the same truths."""

import math

import numpy as np
import pytest
import registered
import scipy.stats
from test_verdict import CASES, of

from helpers import stats
from helpers.claims import __main__ as program
from helpers.claims import measure, planning, registry, verdict
from helpers.claims.entries import Region

SHARES = [name for name in CASES if CASES[name][1] == "proportion"]
OTHERS = [name for name in CASES if name not in SHARES]
REPEATS = 10_000
N, SD = 40, 1.0


def scaled(name, half_width):
    """Return the standard deviation at which the interval's half-width is so many d."""
    aim = verdict.target(*of(name))
    return aim, half_width * aim.distance * math.sqrt(N) / scipy.stats.t.ppf(0.995, N - 1)


def frequencies(low, high, aim):
    codes = verdict.classify(low, high, aim)
    share = np.bincount(codes, minlength=len(verdict.OUTCOMES)) / len(codes)
    return {str(o): float(s) for o, s in zip(verdict.OUTCOMES, share) if s > 0}


def agree(found, expected, repeats, extra=0.0):
    for word in {*found, *expected}:
        chance = expected.get(word, 0.0)
        error = math.sqrt(max(chance * (1 - chance), 1 / repeats) / repeats)
        assert abs(found.get(word, 0.0) - chance) <= 4 * error + extra, word


@pytest.mark.parametrize("half_width", [1 / 3, 1 / 2, 1.5])
@pytest.mark.parametrize("name", OTHERS)
def test_ten_thousand_experiments_with_t_come_out_as_planned(name, half_width):
    aim, sd = scaled(name, half_width)
    region, statistic, reference, smallest = of(name)
    planned = planning.chances(region, statistic, N, sd, reference, smallest)
    data = np.random.default_rng(1).normal(0, sd, (REPEATS, N))
    centre, spread = data.mean(axis=1), data.std(axis=1, ddof=1)
    half = scipy.stats.t.ppf(0.995, N - 1) * spread / math.sqrt(N)
    for truth, value in planning.truths(aim).items():
        found = frequencies(value + centre - half, value + centre + half, aim)
        agree(found, planned[truth], REPEATS)


@pytest.mark.parametrize("n", [30, 300])
@pytest.mark.parametrize("name", SHARES)
def test_ten_thousand_experiments_with_wilson_come_out_as_planned(name, n):
    region, statistic, reference, smallest = of(name)
    aim = verdict.target(region, statistic, reference, smallest)
    planned = planning.chances(region, statistic, n, None, reference, smallest)
    rng = np.random.default_rng(2)
    for label, value in planning.truths(aim).items():
        truth = aim.outward(value)
        if label in planned:
            counts = rng.binomial(n, truth, REPEATS)
            found = frequencies(*aim.turned(*measure.wilson(counts, n)), aim)
            agree(found, planned[label], REPEATS)


@pytest.mark.slow
def test_two_hundred_experiments_with_bca_come_out_as_planned():
    n, rng = 60, np.random.default_rng(3)
    sd = 0.2 / 3 * math.sqrt(n) / scipy.stats.t.ppf(0.995, n - 1)
    found = [
        measure.interval("mean difference", rng.normal(0, sd, n), np.zeros(n)) for _ in range(200)
    ]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
    assert found[0].method.endswith("BCa bootstrap")
    for name in ("at least", "any size", "similar", "no worse"):
        region, statistic, reference, smallest = of(name)
        aim = verdict.target(region, statistic, reference, smallest)
        planned = planning.chances(region, statistic, n, sd, reference, smallest)
        for truth, value in planning.truths(aim).items():
            ends = (value + low, value + high) if aim.sign > 0 else (value - high, value - low)
            agree(frequencies(*ends, aim), planned[truth], 200, extra=0.03)


@pytest.mark.parametrize("name", CASES)
def test_chances_sum_to_one_and_a_plainly_wrong_verdict_is_rare(name):
    region, statistic, reference, smallest = of(name)
    aim, sd = scaled(name, 1 / 3)
    planned = planning.chances(region, statistic, 300, sd, reference, smallest)
    for truth, chance in planned.items():
        assert sum(chance.values()) == pytest.approx(1)
        if truth == "0" and aim.shape in ("size", "direction"):
            assert chance.get("supported", 0) < 0.01
        if truth in ("d", "1.5 d", "2 d", "the edge", "the middle") and aim.shape in (
            "size",
            "band",
        ):
            assert sum(v for k, v in chance.items() if k.startswith("contradicted")) < 0.01
        if truth == "0" and aim.shape in verdict.WITHOUT_DIFFERENCE:
            assert sum(v for k, v in chance.items() if k.startswith("contradicted")) < 0.01


def test_a_third_of_d_can_show_that_there_is_none_and_half_of_it_cannot():
    region = Region(at_least=0.2)
    chance = {}
    for half in (1 / 3, 1 / 2):
        _, sd = scaled("at least", half)
        chance[half] = planning.chances(region, "mean difference", N, sd)["0"]
    none = "contradicted (as good as none)"
    assert chance[1 / 3][none] > 0.75
    assert chance[1 / 2].get(none, 0) < 0.25


def test_the_width_that_could_have_shown_that_there_is_none():
    aim = verdict.target(Region(at_least=1), "mean difference")
    assert pytest.approx(0.396, abs=0.001) == verdict.COULD_SHOW_NONE
    assert verdict.could_show_none(-0.39, 0.39, aim)
    assert not verdict.could_show_none(-0.4, 0.4, aim)


def test_the_share_that_claims_md_names():
    # CLAIMS: shares of at least 0.95, true share 0.985, 300 replicates: power 0.70
    found = planning.share_chance(Region(at_least=0.95), 300, 0.985, 0.5)
    assert found["supported"] == pytest.approx(0.70, abs=0.01)
    assert planning.share_chance(Region(at_least=0.95), 100, 1.0, 0.5).get("supported", 0) == 0


@pytest.mark.parametrize("n", [2, 20, 300])
def test_wilson_for_many_counts_is_wilson(n):
    low, high = measure.wilson(np.arange(n + 1), n)
    for k in range(0, n + 1, max(1, n // 10)):
        one = stats.proportion_interval(k, n)
        assert (low[k], high[k]) == pytest.approx((one.low, one.high), abs=1e-12)


def test_a_spread_is_needed_unless_a_share():
    with pytest.raises((TypeError, ValueError), match="sd"):
        planning.chances(Region(at_least=0.2), "mean difference", 40)


def test_the_program_prints_the_chances_of_a_registry(tmp_path, capsys):
    registered.write(tmp_path, registered.everything())
    assert program.main(["chances", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for piece in ("give pilot_sd", "half-width", "truth", "PyTorch", "spline", "no chances"):
        assert piece in text
    assert "generalization-thread/same" not in text  # withdrawn
    assert program.main([]) == 2


def test_a_plan_that_is_too_small_says_so(tmp_path):
    text = registered.everything().replace(
        'known = "nothing"', 'known = "nothing"\npilot_sd = 9', 1
    )
    found = registry.load(registered.write(tmp_path, text))
    lines = planning.plan(found.claims["keras-post/overfits"], found)
    assert any("n is too small" in line for line in lines)
