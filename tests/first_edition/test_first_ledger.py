"""The ledger: every row of the verdict table, what is refused, what is written, what is shown."""

import dataclasses
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from helpers import stats
from helpers._first_edition import claims
from helpers._first_edition._evidence import clears
from helpers._first_edition.claims import Band, Claim, Direction, Ledger, verdict

GREATER, LESS, INF = Direction("greater"), Direction("less"), math.inf


def between(low, high):
    return stats.Interval((low + high) / 2, low, high, 0.99, 100, "by hand")


def claim(**changes):
    fields = {
        "id": "keras-post/validation-exceeds-training",
        "source": "keraspost",
        "role": "source",
        "words": "typically be noticeably higher",
        "statement": "Validation loss is noticeably higher than training loss.",
        "quantity": "validation minus training MSE at epoch 200",
        "unit": "MSE",
        "region": GREATER,
        "smallest_effect": 0.4,
        "reason": "noticeably: 10 % of the noise variance 4",
        "replicates_over": "data+init",
        "n": 10,
        "recipe": "64-64, Adam, 200 epochs",
    }
    return Claim(**(fields | changes))


def ledger_with(tmp_path, *registered, profile="full"):
    ledger = Ledger("01_overfitting", profile, tmp_path)
    ledger.register(*(registered or [claim()]))
    return ledger


def spread(centre, half=0.1, n=20):
    return centre + half * np.linspace(-1, 1, n)


# verdicts ---------------------------------------------------------------------------------------------------------

ROWS = [  # signed so that the source asserts "greater"; d = 0.4
    (0.5, 0.9, "supported", ""),
    (0.4, 0.9, "supported", ""),  # the edge belongs to the region
    (0.4, 0.4, "supported", ""),
    (-0.9, -0.5, "contradicted", "reversed"),
    (-0.3, 0.3, "contradicted", "too small to matter"),
    (-0.4, 0.39, "contradicted", "too small to matter"),
    (0.1, 0.3, "contradicted", "too small to matter"),  # right sign, yet too small
    (-0.9, 0.3, "contradicted", "absent or reversed"),
    (-0.9, -0.4, "contradicted", "absent or reversed"),  # touches -d
    (-0.9, -0.1, "contradicted", "absent or reversed"),
    (0.1, 0.9, "inconclusive", "right sign, size open"),
    (0.1, 0.4, "inconclusive", "right sign, size open"),  # touches the region from outside
    (0.0, 0.9, "inconclusive", ""),
    (-0.1, 0.9, "inconclusive", ""),
    (-0.9, 0.4, "inconclusive", ""),
]


@pytest.mark.parametrize(("low", "high", "expected", "detail"), ROWS)
def test_direction_both_ways(low, high, expected, detail):
    assert verdict(between(low, high), GREATER, 0.4) == (expected, detail)
    assert verdict(between(-high, -low), LESS, 0.4) == (expected, detail)


@pytest.mark.parametrize(
    ("low", "high", "expected", "detail"), [r for r in ROWS if 0.4 not in map(abs, r[:2])]
)
def test_direction_of_a_ratio_counts_on_the_log_scale(low, high, expected, detail):
    up, down = math.exp(0.4), math.exp(-0.4)
    assert verdict(between(math.exp(low), math.exp(high)), GREATER, up, ratio=True) == (
        expected,
        detail,
    )
    assert verdict(between(math.exp(-high), math.exp(-low)), LESS, down, ratio=True) == (
        expected,
        detail,
    )


def test_ratio_edges_are_closed():
    assert verdict(between(1.1, 1.3), GREATER, 1.1, ratio=True).verdict == "supported"
    assert verdict(between(0.5, 0.9), LESS, 0.9, ratio=True).verdict == "supported"
    assert verdict(between(0.95, 1.05), GREATER, 1.1, ratio=True) == (
        "contradicted",
        "too small to matter",
    )
    assert verdict(between(1.05, 1.3), GREATER, 1.1, ratio=True) == (
        "inconclusive",
        "right sign, size open",
    )


@pytest.mark.parametrize(
    ("low", "high", "region", "expected"),
    [
        (0.45, 0.55, Band(0.4, 0.6), "supported"),
        (0.4, 0.6, Band(0.4, 0.6), "supported"),
        (0.35, 0.5, Band(0.4, 0.6), "inconclusive"),
        (0.5, 0.65, Band(0.4, 0.6), "inconclusive"),
        (0.3, 0.7, Band(0.4, 0.6), "inconclusive"),
        (0.3, 0.4, Band(0.4, 0.6), "inconclusive"),  # touches
        (0.6, 0.8, Band(0.4, 0.6), "inconclusive"),
        (0.1, 0.39, Band(0.4, 0.6), "contradicted"),
        (0.61, 0.8, Band(0.4, 0.6), "contradicted"),
        (-5.0, 0.2, Band(-INF, 0.2), "supported"),
        (0.1, 0.3, Band(high=0.2), "inconclusive"),
        (0.21, 0.3, Band(high=0.2), "contradicted"),
        (0.5, 9.0, Band(0.5, INF), "supported"),
        (0.4, 0.6, Band(0.5), "inconclusive"),
        (-1.0, 0.4, Band(0.5), "contradicted"),
        (0.97, 1.0, Band(0.95, 1.0), "supported"),
    ],
)
def test_band(low, high, region, expected):
    assert verdict(between(low, high), region) == (expected, "")


def test_verdict_refuses_intervals_that_are_none():
    for low, high in ((math.nan, 1.0), (1.0, 0.0), (-INF, 0.0)):
        with pytest.raises(ValueError, match="interval"):
            verdict(between(low, high), GREATER, 0.4)


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        (
            (0.5, GREATER, 0.4),
            TypeError,
            "`interval` must be a stats.Interval, or like one. Received: interval=0.5",
        ),
        ((between(0, 1), "greater", 0.4), TypeError, "`region` must be a Direction or a Band"),
        ((between(0, 1), GREATER), TypeError, "`smallest_effect` must be a finite number"),
        (
            (between(0, 1), GREATER, 1.1, True),
            ValueError,
            "`interval` must be positive for a ratio",
        ),
        ((between(1, 2), GREATER, 1.1, "yes"), TypeError, "`ratio` must be True or False"),
    ],
)
def test_verdict_names_what_does_not_fit(arguments, kind, match):
    with pytest.raises(kind, match=match):
        verdict(*arguments)


# claims -----------------------------------------------------------------------------------------------------------


def test_claim_is_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim().n = 3
    with pytest.raises(TypeError):
        Claim("a/b")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"id": "no-slash"}, "`id`"),
        ({"id": "Upper/case"}, "`id`"),
        ({"source": " "}, "`source`"),
        ({"role": "mine"}, "`role`"),
        ({"words": "one two three four five six seven eight nine ten eleven"}, "`words`"),
        ({"words": ""}, "`words`"),
        ({"statement": ""}, "`statement`"),
        ({"region": None}, "`region`"),
        ({"smallest_effect": None}, "`smallest_effect`"),
        ({"smallest_effect": -0.4}, "`smallest_effect`"),
        ({"smallest_effect": 0.0}, "`smallest_effect`"),
        ({"reason": ""}, "`reason`"),
        ({"replicates_over": "weather"}, "`replicates_over`"),
        ({"replicates_over": "none"}, "`replicates_over`"),
        ({"n": None}, "`n`"),
        ({"n": 1}, "`n`"),
        ({"kind": "guess"}, "`kind`"),
        ({"kind": "exact"}, "exact"),
        ({"statistic": "median"}, "`statistic`"),
        ({"statistic": "proportion"}, "no sign"),
        ({"statistic": "proportion", "region": Band(95, 100)}, "`region`"),
        ({"statistic": "ratio", "smallest_effect": 0.9}, "above 1 for 'greater'"),
        ({"statistic": "ratio", "region": LESS, "smallest_effect": 1.1}, "below 1 for 'less'"),
        ({"share_at_least": 1.0}, "`share_at_least`"),
        ({"share_at_least": 0.6, "region": Band(0.4)}, "`share_at_least`"),
        ({"settings": "some"}, "`settings`"),
    ],
)
def test_claim_checks_its_fields(changes, match):
    with pytest.raises((ValueError, TypeError), match=re.escape(match)):
        claim(**changes)


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (-INF, INF), (math.nan, 1)])
def test_band_checks_its_ends(ends):
    with pytest.raises(ValueError, match="low < high"):
        Band(*ends)


@pytest.mark.parametrize(
    ("ends", "kind", "match"),
    [
        (
            ("1", 2),
            TypeError,
            "`low` must be a number, infinite where the region is open. Received: low='1'",
        ),
        ((0, None), TypeError, "`high` must be a number"),
        ((0, 10**400), ValueError, "`high` must be a finite number"),
    ],
)
def test_band_takes_numbers(ends, kind, match):
    with pytest.raises(kind, match=match):
        Band(*ends)


def test_direction_checks_its_word():
    with pytest.raises(ValueError, match="asserts"):
        Direction("bigger")


# recording --------------------------------------------------------------------------------------------------------


def test_record_holds_what_the_design_lists(tmp_path):
    record = ledger_with(tmp_path).record(claim().id, spread(1.0))
    listed = "id source role statement quantity unit estimate ci_low ci_high level n diverged smallest_effect asserted"
    listed += " replicates_over one_run_agrees verdict detail profile notebook words statistic method reason recipe"
    assert set(listed.split()) <= set(record)
    assert record["estimate"] == pytest.approx(1.0) and (record["n"], record["level"]) == (20, 0.99)
    assert (record["verdict"], record["asserted"], record["one_run_agrees"]) == (
        "supported",
        "at least 0.4",
        1.0,
    )
    assert (record["direction"], record["region_low"], record["region_high"]) == (
        "greater",
        0.4,
        None,
    )
    interval = stats.mean_interval(spread(1.0))
    assert (record["ci_low"], record["ci_high"]) == (interval.low, interval.high)


def test_record_pairs(tmp_path):
    ledger = ledger_with(tmp_path, claim(region=LESS))
    base = 100 * np.arange(20.0)
    record = ledger.record(claim().id, base + spread(-1.0), baseline=base)
    assert record["estimate"] == pytest.approx(-1.0) and record["verdict"] == "supported"
    assert record["asserted"] == "at most -0.4" and record["share_with_sign"] == 1.0


def test_groups_are_averaged_before_counting_and_single_runs_are_not(tmp_path):
    groups, run = np.repeat(np.arange(10), 2), np.tile([-1.0, 3.0], 10)
    record = ledger_with(tmp_path).record(
        claim().id, run + np.repeat(spread(0, n=10), 2), groups=groups
    )
    assert (record["n"], record["runs"], record["one_run_agrees"]) == (10, 20, 0.5)
    assert record["estimate"] == pytest.approx(1.0) and record["share_with_sign"] == 1.0
    with pytest.raises(ValueError, match="planned with n = 10"):  # 20 runs, yet 5 data sets
        ledger_with(tmp_path).record(claim().id, run, groups=np.repeat(np.arange(5), 4))


def test_ratio_record(tmp_path):
    ratio = claim(statistic="ratio", region=LESS, smallest_effect=0.9, unit="ratio")
    base = np.linspace(1, 50, 20)
    record = ledger_with(tmp_path, ratio).record(ratio.id, 0.5 * base, base)
    assert record["estimate"] == pytest.approx(0.5) and record["verdict"] == "supported"
    assert (record["asserted"], record["one_run_agrees"], record["share_with_sign"]) == (
        "at most 0.9",
        1.0,
        1.0,
    )


def test_ratio_band(tmp_path):
    ratio = claim(statistic="ratio", region=Band(high=1.0), smallest_effect=None)
    record = ledger_with(tmp_path, ratio).record(ratio.id, spread(0.5))
    assert record["verdict"] == "supported" and record["share_with_sign"] is None


def test_proportion_record(tmp_path):
    share = claim(statistic="proportion", region=Band(0.95, 1), smallest_effect=None)
    hits = np.ones(1000, bool)
    hits[:5] = False
    record = ledger_with(tmp_path, share).record(share.id, hits)
    assert record["method"] == "Wilson" and record["verdict"] == "supported"
    assert record["estimate"] == record["one_run_agrees"] == 0.995
    assert record["asserted"] == "between 0.95 and 1"
    half = claim(statistic="proportion", region=Band(0.4, 0.6), smallest_effect=None)
    record = ledger_with(tmp_path, half).record(half.id, np.arange(1000) % 2)
    assert (
        record["verdict"] == "supported" and record["one_run_agrees"] is None
    )  # one run is 0 or 1
    for bad in (
        {"values": [0.5] * 20},
        {"values": [1] * 20, "baseline": [1] * 20},
        {"values": [1] * 20, "groups": [1] * 20},
    ):
        with pytest.raises(ValueError, match="0 or 1|no `baseline`|`groups`"):
            ledger_with(tmp_path, share).record(share.id, **bad)


def test_proportion_difference_of_independent_arms(tmp_path):
    more = claim(statistic="proportion_difference", smallest_effect=0.1)
    a, b = np.arange(1000) < 900, np.arange(500) < 250
    record = ledger_with(tmp_path, more).record(more.id, a, b)
    assert record["estimate"] == pytest.approx(0.4) and record["verdict"] == "supported"
    assert (record["n"], record["n_baseline"]) == (1000, 500)
    assert record["one_run_agrees"] == pytest.approx(
        0.9 * 0.5
    )  # one succeeds where the other fails
    same = claim(statistic="proportion_difference", region=Band(-0.1, 0.1), smallest_effect=None)
    record = ledger_with(tmp_path, same).record(same.id, a, a)
    assert record["verdict"] == "supported" and record["one_run_agrees"] == pytest.approx(
        0.81 + 0.01
    )
    with pytest.raises(ValueError, match="needs `baseline`"):
        ledger_with(tmp_path, more).record(more.id, a)
    with pytest.raises(ValueError, match="planned with n = 10"):
        ledger_with(tmp_path, more).record(more.id, a, b[:5])


@pytest.mark.parametrize(
    (
        "below",
        "low",
        "high",
        "expected",
        "detail",
    ),  # `below` of 100 replicates at `low`, the others at `high`
    [
        (5, -0.1, 1.0, "supported", ""),
        (60, -0.1, 3.0, "contradicted", "too few replicates with the sign"),  # mean 1.14
        (35, -0.1, 3.0, "inconclusive", "share of replicates open"),
        (5, 0.05, 0.1, "contradicted", "too small to matter"),
        (
            35,
            -0.5,
            0.0,
            "contradicted",
            "too small to matter",
        ),  # both fail: the mean's detail stands
        (95, -1.0, -0.9, "contradicted", "reversed"),
        (5, -8.0, 0.6, "inconclusive", ""),
        (5, -0.5, 0.42, "inconclusive", "right sign, size open"),
    ],
)
def test_typically_needs_mean_and_share(tmp_path, below, low, high, expected, detail):
    values = np.where(np.arange(100) < below, low, high)
    record = ledger_with(tmp_path, claim(share_at_least=0.6)).record(claim().id, values)
    assert (record["verdict"], record["detail"]) == (expected, detail)
    wilson = stats.proportion_interval(int((values > 0).sum()), 100)
    assert (record["share_with_sign"], record["share_ci_low"]) == (wilson.estimate, wilson.low)


def test_diverged_are_counted_and_left_out_once(tmp_path):
    values, lost = spread(1.0), np.zeros(20, bool)
    values[3], lost[3] = 4.0, True
    record = ledger_with(tmp_path).record(claim().id, values, diverged=lost)
    assert record["diverged"] == 1 and record["estimate"] == pytest.approx(values.mean())
    assert record["estimate_without_diverged"] == pytest.approx(np.delete(values, 3).mean())
    other = np.zeros(20, bool)
    other[5] = True
    record = ledger_with(tmp_path).record(
        claim().id, values, 0 * values, diverged=lost, baseline_diverged=other
    )
    assert record["diverged"] == 2  # a pair goes if either arm diverged
    assert record["estimate_without_diverged"] == pytest.approx(np.delete(values, [3, 5]).mean())
    record = ledger_with(tmp_path).record(claim().id, values, diverged=np.ones(20, bool))
    assert record["estimate_without_diverged"] is None
    for bad in (lost[:5], lost.astype(int)):
        with pytest.raises(ValueError, match="`diverged` must be bool"):
            ledger_with(tmp_path).record(claim().id, values, diverged=bad)


@pytest.mark.parametrize("where", ["values", "baseline"])
def test_nan_is_refused_and_the_message_says_what_to_do(tmp_path, where):
    arms = {"values": spread(1.0), "baseline": spread(0.0)}
    arms[where][2] = np.nan
    with pytest.raises(
        ValueError, match=rf"`{where}` must be finite.*trivial predictor.*`diverged`"
    ):
        ledger_with(tmp_path).record(claim().id, **arms)


def test_values_beyond_all_measure_are_refused_and_single_precision_is_taken(tmp_path):
    with pytest.raises(
        ValueError, match=r"`values` must lie in \[-1e\+100, 1e\+100\].*trivial predictor"
    ):
        ledger_with(tmp_path).record(claim().id, [*spread(1.0), 1e308])
    assert (
        ledger_with(tmp_path).record(claim().id, spread(1.0).astype(np.float32))["verdict"]
        == "supported"
    )


@pytest.mark.parametrize(
    ("groups", "kind", "match"),
    [
        ([None] * 20, TypeError, "`groups` must be an array of numbers or of text"),
        ([[1], [1, 2]], TypeError, "`groups` must be an array of numbers or of text"),
        (["a", 1.5] * 10, None, None),  # NumPy makes text of both
        (
            np.array(["a", 1.5] * 10, object),
            TypeError,
            "`groups` must be an array of numbers or of text",
        ),
        ([1.0, np.nan] * 10, ValueError, "`groups` must be labels that are not NaN"),
        (
            [1, 2],
            ValueError,
            r"`groups` must have one label per value, shape \(20,\). Received: shape \(2,\)",
        ),
    ],
)
def test_groups_are_labels_that_can_be_told_apart(tmp_path, groups, kind, match):
    ledger = ledger_with(tmp_path, claim(n=2))
    if kind is None:
        assert ledger.record(claim().id, spread(1.0), groups=groups)["n"] == 2
        return
    with pytest.raises(kind, match=match):
        ledger.record(claim().id, spread(1.0), groups=groups)


def test_rows_of_unequal_lengths_are_no_mask(tmp_path):
    with pytest.raises(ValueError, match="`diverged` must be bool.*unequal lengths"):
        ledger_with(tmp_path).record(claim().id, spread(1.0), diverged=[[True], [True, False]])


@pytest.mark.parametrize("id", [["a/b"], 3, None])
def test_an_id_is_text(tmp_path, id):
    with pytest.raises(TypeError, match="`id` must be the id of a registered claim"):
        ledger_with(tmp_path).record(id, spread(1.0))


def test_no_outcome_is_no_proportion(tmp_path):
    share = claim(statistic="proportion", region=Band(0.95, 1), smallest_effect=None)
    with pytest.raises(ValueError, match="`values` must hold one value or more"):
        ledger_with(tmp_path, share).record(share.id, [])


def test_ratios_beyond_the_range_of_floats_stay_finite(tmp_path):
    ratio = claim(statistic="ratio", region=LESS, smallest_effect=0.9, unit="ratio", n=2)
    lost = np.array([True, False, True])
    ledger = ledger_with(tmp_path, ratio)
    record = ledger.record(ratio.id, [1.0, 1e90, 1.0], [1.0, 1e-300, 1.0], diverged=lost)
    assert (
        0 < record["ci_low"] < 1 < record["ci_high"] < INF and record["verdict"] == "inconclusive"
    )
    assert record["estimate_without_diverged"] < INF and ledger.save().exists()


def test_values_too_close_to_zero_to_square_have_a_mean(tmp_path):
    ledger = ledger_with(tmp_path, claim(n=2))
    record = ledger.record(claim().id, [0.0, 1e-228])
    assert record["ci_low"] == record["ci_high"] == 5e-229 and record["verdict"] == "contradicted"


def test_order_of_events(tmp_path):
    ledger = ledger_with(tmp_path)
    with pytest.raises(ValueError, match="registered already"):
        ledger.register(claim())
    with pytest.raises(ValueError, match="not registered"):
        ledger.record("keras-post/other", spread(1.0))
    with pytest.raises(ValueError, match="planned with n = 10.*Received: 9"):
        ledger.record(claim().id, spread(1.0, n=9))
    ledger.record(claim().id, spread(1.0))
    with pytest.raises(ValueError, match="recorded already"):
        ledger.record(claim().id, spread(1.0))
    ledger.register(claim(id="keras-post/later"))  # fine: its own data do not exist yet
    with pytest.raises(ValueError, match="keras-post/later"):
        ledger.save()
    with pytest.raises(TypeError, match="a Claim"):
        ledger.register("keras-post/text")


def exact(**changes):
    fields = {
        "kind": "exact",
        "region": None,
        "smallest_effect": None,
        "n": None,
        "replicates_over": "none",
    }
    return claim(**(fields | {"id": "flat-minima/exact", "reason": ""} | changes))


def test_exact(tmp_path):
    ledger = ledger_with(tmp_path, exact(), exact(id="flat-minima/false"), claim())
    record = ledger.record_exact("flat-minima/exact", True, 6)
    assert (record["verdict"], record["detail"], record["estimate"], record["ci_low"]) == (
        "supported",
        "exact",
        6.0,
        None,
    )
    assert ledger.record_exact("flat-minima/false", np.False_)["verdict"] == "contradicted"
    with pytest.raises(ValueError, match="use `record`"):
        ledger.record_exact(claim().id, True)
    with pytest.raises(ValueError, match="use `record_exact`"):
        ledger_with(tmp_path, exact()).record("flat-minima/exact", spread(1.0))
    assert set(record) == set(ledger.record(claim().id, spread(1.0)))  # one schema


@pytest.mark.parametrize(
    ("rule", "centres", "expected", "detail"),
    [
        ("open", (1.0, 1.0, 1.0), "supported", "holds in 3 of 3 settings"),
        ("open", (1.0, 0.0, 0.0), "inconclusive", "holds in 1 of 3 settings"),
        ("open", (0.0, 0.0, 0.0), "contradicted", "holds in 0 of 3 settings"),
        ("open", (0.0, 0.4, 0.0), "inconclusive", "holds in 0 of 3 settings"),
        ("all", (1.0, 1.0, 1.0), "supported", "holds in 3 of 3 settings"),
        ("all", (1.0, 1.0, 0.0), "contradicted", "holds in 2 of 3 settings"),
        ("all", (1.0, 1.0, 0.4), "inconclusive", "holds in 2 of 3 settings"),
    ],
)
def test_settings(tmp_path, rule, centres, expected, detail):
    ledger = ledger_with(tmp_path, claim(settings=rule))
    record = ledger.record(claim().id, {f"setting {i}": spread(c) for i, c in enumerate(centres)})
    assert (record["verdict"], record["detail"]) == (expected, detail)
    assert [part["name"] for part in record["settings"]] == ["setting 0", "setting 1", "setting 2"]
    assert record["estimate"] == record["settings"][0]["estimate"] == pytest.approx(centres[0])
    simultaneous = stats.mean_interval(spread(centres[0]), 1 - 0.01 / 3)
    assert record["ci_low"] == pytest.approx(simultaneous.low) and record["level"] == 0.99
    assert "3 settings" in record["method"]
    assert "Setting setting 1" in str(claims.card(record))


def test_settings_need_matching_dicts(tmp_path):
    ledger = ledger_with(tmp_path, claim(settings="all"))
    with pytest.raises(TypeError, match="dict from setting"):
        ledger.record(claim().id, spread(1.0))
    with pytest.raises(ValueError, match="`baseline`.*settings"):
        ledger.record(claim().id, {"a": spread(1.0), "b": spread(1.0)}, {"a": spread(0.0)})
    with pytest.raises(ValueError, match="at least one setting"):
        ledger.record(claim().id, {})
    with pytest.raises(ValueError, match="no two of them written alike"):
        ledger.record(claim().id, {1: spread(1.0), "1": spread(0.0)})


# quick ------------------------------------------------------------------------------------------------------------


def test_quick_stores_estimates_without_verdicts(tmp_path):
    several = claim(id="keras-post/several", settings="all")
    ledger = ledger_with(
        tmp_path, claim(), exact(), several, claim(id="keras-post/unrecorded"), profile="quick"
    )
    record = ledger.record(claim().id, spread(1.0, n=4))  # fewer than planned
    assert record["estimate"] == pytest.approx(1.0) and (record["verdict"], record["detail"]) == (
        "quick",
        "",
    )
    assert ledger.record_exact("flat-minima/exact", True)["verdict"] == "quick"
    record = ledger.record(several.id, {"a": spread(1.0, n=4)})
    assert record["settings"][0]["verdict"] == "quick"
    assert ledger.check_lines()[0] == claim().id + " n=4"
    assert len(json.loads(ledger.save().read_text(encoding="utf-8"))["claims"]) == 3


@pytest.mark.parametrize(("profile", "seed"), [("quick", 0), ("full", 1000)])
def test_only_full_with_seed_zero_may_write_results(tmp_path, monkeypatch, profile, seed):
    monkeypatch.setattr(claims, "RESULTS", tmp_path / "results")
    folder = tmp_path / "results" / "claims"
    with pytest.raises(ValueError, match="never writes into results/"):
        Ledger("01_overfitting", profile, folder, seed)
    Ledger("01_overfitting", "full", folder)
    Ledger("01_overfitting", profile, tmp_path / "build" / "results", seed)
    assert not folder.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"notebook": "a/b"},
        {"notebook": "a" * 300},
        {"profile": "slow"},
        {"seed": -1},
        {"folder": 3},
    ],
)
def test_ledger_checks_its_arguments(tmp_path, bad):
    with pytest.raises((ValueError, TypeError), match=next(iter(bad))):
        Ledger(**({"notebook": "01", "profile": "full", "folder": tmp_path} | bad))


# files ------------------------------------------------------------------------------------------------------------


def full_ledger(tmp_path):
    band = claim(
        id="blog/resembles",
        region=Band(high=0.2),
        smallest_effect=None,
        words="look pretty similar",
    )
    ledger = ledger_with(tmp_path, band, claim(), exact())
    ledger.record(claim().id, spread(0.35))  # recorded out of order
    ledger.record(band.id, spread(0.05, 0.01, 60))
    ledger.record_exact("flat-minima/exact", True)
    return ledger


def test_saved_records_load_unchanged_and_saving_again_gives_the_same_bytes(tmp_path):
    ledger = full_ledger(tmp_path / "deep" / "claims")
    path = ledger.save()
    assert path.name == "01_overfitting.json"
    first = path.read_bytes()
    assert ledger.save().read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing left aside
    content = json.loads(first, parse_constant=lambda name: pytest.fail(name))
    assert list(content) == ["schema", "notebook", "profile", "seed", "versions", "claims"]
    assert claims.load(path.parent) == ledger.records == content["claims"]
    assert [r["id"] for r in ledger.records] == ["blog/resembles", claim().id, "flat-minima/exact"]
    assert (ledger.records[0]["region_low"], ledger.records[0]["region_high"]) == (None, 0.2)


def test_versions_name_no_machine_and_no_path():
    found = claims.versions()
    assert set(found) == {"python", "machine", "numpy", "scipy", "tensorflow", "keras"}
    assert found["numpy"] == np.__version__
    assert not any("/" in value for value in found.values() if value)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    ledger = full_ledger(tmp_path)
    path = ledger.save()
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        ledger.save()
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_load_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="existing folder"):
        claims.load(tmp_path / "none")
    path = full_ledger(tmp_path).save()
    (tmp_path / "02_other.json").write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="in both"):
        claims.load(tmp_path)
    (tmp_path / "02_other.json").write_text('{"schema": 2}', encoding="utf-8")
    with pytest.raises(ValueError, match="schema 1"):
        claims.load(tmp_path)
    for text in ('{"schema": 1', '{"schema": 1}', '{"schema": 1, "claims": [3]}'):
        (tmp_path / "02_other.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="02_other.json must be a ledger of schema 1"):
            claims.load(tmp_path)


# check lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "region", "d", "interval", "clear"),
    [  # margin: half the width
        ("mean", GREATER, 0.4, (0.5, 0.7), True),
        ("mean", GREATER, 0.4, (0.49, 0.7), False),
        ("mean", LESS, 0.4, (-0.7, -0.5), True),
        ("mean", LESS, 0.4, (-0.7, -0.49), False),
        ("mean", GREATER, 0.4, (0.1, 0.29), True),
        ("mean", GREATER, 0.4, (0.1, 0.35), False),
        ("mean", GREATER, 0.4, (0.4, 0.4), False),  # no width, on the edge
        ("mean", Band(0.4, 0.6), None, (0.48, 0.52), True),
        ("mean", Band(0.4, 0.6), None, (0.42, 0.52), False),
        ("ratio", GREATER, 1.1, (1.5, 2.0), True),
        ("ratio", LESS, 0.9, (0.5, 0.6), True),
        ("ratio", LESS, 0.9, (0.5, 0.8), False),
        ("ratio", Band(0.0, 1.0), None, (0.3, 0.5), True),
        ("proportion", Band(0.95, 1.0), None, (0.98, 1.0), True),  # 1 decides nothing
        ("proportion", Band(0.95, 1.0), None, (0.955, 1.0), False),
        ("proportion", Band(0.0, 0.05), None, (0.0, 0.02), True),
    ],
)
def test_verdicts_are_checked_only_where_they_are_clear(statistic, region, d, interval, clear):
    judged = claim(statistic=statistic, region=region, smallest_effect=d)
    word = verdict(between(*interval), region, d, statistic == "ratio").verdict
    assert clears(judged, {"ci_low": interval[0], "ci_high": interval[1], "verdict": word}) is clear


def test_check_lines_hold_no_estimates(tmp_path):
    ledger = ledger_with(tmp_path, claim(), claim(id="keras-post/close"), exact())
    ledger.record(claim().id, spread(1.0))
    ledger.record("keras-post/close", spread(0.45))
    ledger.record_exact("flat-minima/exact", True, 3.25)
    expected = [
        claim().id + " n>=10 supported",
        "keras-post/close n>=10",
        "flat-minima/exact supported",
    ]
    assert ledger.check_lines() == expected


def test_settings_and_shares_count_for_clearness(tmp_path):
    cases = [  # rule, centres, verdict, clear
        ("all", (1.0, 1.0), "supported", True),
        ("all", (1.0, 0.425), "supported", False),
        ("all", (0.0, 0.375), "contradicted", True),  # one clear failure is enough
        ("open", (0.0, 0.375), "contradicted", False),
        ("open", (0.0, 0.1), "contradicted", True),
    ]
    for rule, centres, word, clear in cases:
        ledger = ledger_with(tmp_path, claim(settings=rule))
        record = ledger.record(claim().id, {str(c): spread(c, 0.05) for c in centres})
        assert record["verdict"] == word
        assert ledger.check_lines() == [claim().id + " n>=10" + (f" {word}" if clear else "")]
    ledger = ledger_with(tmp_path, claim(share_at_least=0.6))
    values = np.ones(100)
    values[
        :20
    ] = -0.1  # mean 0.78, share 0.80: [0.67, 0.88] clears 0.60 by less than half its width
    assert ledger.record(claim().id, values)["verdict"] == "supported"
    assert ledger.check_lines() == [
        claim().id + " n>=10"
    ]  # more than planned: how many may differ between machines


# showing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.123456, None, "0.123"),
        (-12.3456, None, "-12.3"),
        (12345.6, None, "12,300"),
        (0.99996, None, "1.000"),
        (0.0, None, "0"),
        (1.5e-7, None, "1.50e-07"),
        (3e12, None, "3.00e+12"),
        (None, None, "–"),
        (math.inf, None, "∞"),
        (math.nan, None, "NaN"),
        (Fraction(1, 4), None, "0.250"),
        (1.2345, 2, "1.23"),
        (-0.001, 2, "0.00"),
        (12345.6, -2, "12,300"),
        (0.0, 2, "0.00"),
        (0.30103, 12, "0.301030"),
        (1.5e-7, 8, "1.5e-07"),
    ],
)
def test_format_number(value, decimals, text):
    assert claims.format_number(value, decimals) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.5372, 0.4811, 0.5988), "0.537 [0.481, 0.599] MSE"),
        ((10234.0, 9010.0, 11400.0), "10,200 [9,000, 11,400] MSE"),
        ((0.25, 0.25, 0.25), "0.250 [0.250, 0.250] MSE"),
        ((-0.0004, -0.02, 0.02), "0.000 [-0.020, 0.020] MSE"),
        ((2.0, None, None), "2.00 MSE"),
        ((None, None, None), "–"),
        ((3e-8, 2e-8, 4e-8), "3.0e-08 [2.0e-08, 4.0e-08] MSE"),
    ],
)
def test_format_interval(numbers, text):
    assert claims.format_interval(*numbers, "MSE") == text


def test_only_numbers_are_formatted_and_only_records_tabulated():
    with pytest.raises(TypeError, match="`value` must be a number or None. Received: value='3'"):
        claims.format_number("3")
    with pytest.raises(TypeError, match="`records` must be a list of records"):
        claims.table({"verdict": "supported"})
    with pytest.raises(TypeError, match="`record` must be a record"):
        claims.table([3])


def test_format_interval_takes_an_interval():
    found = stats.mean_interval(np.arange(10.0))
    assert claims.format_interval(found) == claims.format_interval(
        found.estimate, found.low, found.high
    )


def test_table(tmp_path):
    piped = claim(statement="a | b\nc")
    ledger = ledger_with(tmp_path, piped, exact())
    ledger.record(piped.id, spread(1.0))
    ledger.record_exact("flat-minima/exact", False)
    lines = claims.table(ledger.records).splitlines()
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in lines)
    assert "a \\| b c (“typically be noticeably higher”)" in lines[2] and "✓ supported" in lines[2]
    assert "✗ contradicted (exact)" in lines[3] and "| – |" in lines[3]


def test_card_says_the_same_in_every_format(tmp_path):
    lost = np.arange(20) < 2
    shown = claim(statement="Loss < 1 & falling", share_at_least=0.6)
    ledger = ledger_with(tmp_path, shown)
    record = ledger.record(shown.id, spread(0.35), diverged=lost)
    found = claims.card(record)
    page, markdown, text = found._repr_html_(), found._repr_markdown_(), str(found)
    assert repr(found) == text
    for part in (
        "contradicted",
        "✗",
        "too small to matter",
        record["id"],
        "n = 20",
        "data and initialisation",
        "0.350 [",
    ):
        assert part in page and part in markdown and part in text
    for part in (
        "25 % of single runs",
        "100 % of replicates",
        "2 networks",
        "at least 0.4 MSE",
        "keraspost",
    ):
        assert part in page and part in text
    assert "Loss &lt; 1 &amp; falling" in page and "Loss < 1 & falling" in text
    assert (
        "background:#ffffff" in page and "color:#1a1a1a" in page
    )  # readable in dark notebooks too
    with pytest.raises(TypeError, match="record"):
        claims.card(shown)


def test_brief_says_in_one_sentence_what_was_found(tmp_path):
    record = ledger_with(tmp_path, claim()).record(claim().id, spread(0.35))
    found = claims.brief(record)
    for part in (
        record["id"],
        record["quantity"],
        "0.350 [",
        "(n = 20)",
        "**✗ contradicted (too small to matter)**",
    ):
        assert part in found
    assert "n =" not in claims.brief(
        ledger_with(tmp_path, exact(unit="")).record_exact(exact().id, True, 6)
    )
    with pytest.raises(TypeError, match="record"):
        claims.brief(claim())


def test_every_setting_is_shown_wherever_the_claim_is(tmp_path):
    ledger = ledger_with(tmp_path, claim(settings="all"))
    record = ledger.record(claim().id, {"narrow": spread(1.0), "wide": spread(0.35)})
    for shown in (claims.brief(record), claims.table([record]), str(claims.card(record))):
        assert re.search(r"narrow: 1\.0", shown) and re.search(r"wide: 0\.35", shown)


def test_cards_of_every_verdict_and_of_exact_claims(tmp_path):
    ledger = ledger_with(tmp_path, exact(unit=""))
    assert "fact or identity" in str(claims.card(ledger.record_exact("flat-minima/exact", True, 6)))
    symbols = set()
    for profile, centre in (("full", 1.0), ("full", 0.0), ("full", 0.4), ("quick", 1.0)):
        record = ledger_with(tmp_path, profile=profile).record(claim().id, spread(centre))
        symbols.add(str(claims.card(record))[0])
    assert len(symbols) == 4


def test_citations(tmp_path):
    bib = tmp_path / "references.bib"
    bib.write_text(
        "@comment{x, }\n@article{wilson1927,\n title = {A}}\n  @Misc{ keraspost , note={@article{no,}}}\n",
        encoding="utf-8",
    )
    assert claims.citations(bib) == ["wilson1927", "keraspost"]
    other = claim(id="a/b", source="nobody")
    assert claims.missing_citations([claim(), other], bib) == {"a/b": "nobody"}
    record = ledger_with(tmp_path, other).record("a/b", spread(1.0))
    assert claims.missing_citations([record], bib) == {"a/b": "nobody"}
