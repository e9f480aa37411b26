import itertools
import math

import numpy as np
import pytest

from helpers.claims import verdict
from helpers.claims.entries import Region
from helpers.claims.verdict import Verdict
from helpers.stats import Interval

WORDS = {
    "size": {
        "supported",
        "contradicted (reversed)",
        "contradicted (as good as none)",
        "weaker than stated",
        "weaker than stated (perhaps nothing)",
        "open (size)",
        "open (direction)",
    },
    "direction": {"supported", "contradicted (reversed)", "open (direction)"},
    "band": {
        *("supported", "contradicted (outside)", "weaker than stated (near miss)"),
        *("open (size)", "open (direction)"),
    },
    "equivalence": {"supported", "contradicted (outside)", "open (size)", "open (direction)"},
    "non-inferiority": {"supported", "contradicted (outside)", "open (size)", "open (direction)"},
}
# name: region, statistic, reference, smallest, shape, d
CASES = {
    "at least": (Region(at_least=0.2), "mean difference", None, None, "size", 0.2),
    "at most": (Region(at_most=-0.2), "mean difference", None, None, "size", 0.2),
    "mean above chance": (Region(at_least=0.7), "mean", 0.5, None, "size", 0.2),
    "ratio up": (Region(at_least=1.2), "ratio", None, None, "size", math.log(1.2)),
    "ratio down": (Region(at_most=0.75), "ratio", None, None, "size", -math.log(0.75)),
    "share": (Region(at_least=0.95), "proportion", 0.5, None, "size", 0.45),
    "correlation": (Region(at_least=0.7), "rank correlation", None, None, "size", 0.7),
    "any size": (Region(at_least=0), "mean difference", None, 0.2, "direction", 0.2),
    "any fall": (Region(at_most=1), "ratio", None, None, "direction", math.log(1.1)),
    "most": (Region(at_least=0.5), "proportion", 0.5, None, "direction", 0.1),
    "around half": (Region(0.4, 0.6, (0.25, 0.75)), "proportion", 1.0, None, "band", 0.15),
    "band below": (Region(0.4, 0.6, (0.25, 0.75)), "mean", 0.0, None, "band", 0.15),
    "band at an end": (Region(0.9, 1.0, (0.7, 1.0)), "proportion", 0.5, None, "band", 0.2),
    "ratio band": (
        *(Region(2.0, 3.0, (1.5, 4.0)), "ratio", None, None, "band"),
        math.log(4 / 3),
    ),
    "similar": (Region(-0.2, 0.2), "mean difference", None, None, "equivalence", 0.2),
    "uneven": (Region(-0.2, 0.1), "mean difference", None, None, "equivalence", 0.1),
    "similar ratio": (Region(0.9, 1.1), "ratio", None, None, "equivalence", math.log(1.1)),
    "no worse": (Region(at_most=0.2), "mean difference", None, None, "non-inferiority", 0.2),
    "not below": (Region(at_least=0.45), "proportion", 0.5, None, "non-inferiority", 0.05),
}
BY_NAME = pytest.mark.parametrize("name", CASES)


def of(name):
    region, statistic, reference, smallest, *_ = CASES[name]
    return region, statistic, reference, smallest


def judged(name, low, high, kind="estimate"):
    found = Interval((low + high) / 2, low, high, 0.99, 100, "made up")
    return str(verdict.judge(found, *of(name), kind))


def grid(name):
    """Return the ends of intervals: all marks of the rule, and points between, before and beyond them."""
    aim = verdict.target(*of(name))
    half, none = aim.distance / 2, aim.nothing
    marks = [aim.low, aim.high, aim.outer_low, aim.outer_high, none, none - half, none + half]
    marks = sorted({x for x in marks if math.isfinite(x)})
    unit = aim.distance
    ends = [marks[0] - 2 * unit, marks[0] - unit / 3, *marks, marks[-1] + unit / 3]
    ends += [(a + b) / 2 for a, b in itertools.pairwise(marks)] + [marks[-1] + 2 * unit]
    return aim, sorted(ends)


def expected(aim, low, high):
    """Return the rule as CLAIMS.md puts it, word by word, each verdict by a condition of its own.

    All conditions that hold are returned: that there is exactly one is what is tested.
    """
    none, half = aim.nothing, aim.distance / 2
    includes = low <= none <= high
    within = aim.low <= low and high <= aim.high
    beside = high < aim.low or low > aim.high  # wholly outside the region
    beyond = high < aim.outer_low or low > aim.outer_high
    reversed_ = high < none
    near = includes and none - half <= low and high <= none + half
    if aim.shape == "size":
        weaker = high < aim.low and not reversed_ and not near
        conditions = {
            "supported": within,
            "contradicted (reversed)": reversed_,
            "contradicted (as good as none)": near,
            "weaker than stated": weaker and not includes,
            "weaker than stated (perhaps nothing)": weaker and includes,
        }
    elif aim.shape == "direction":
        conditions = {"supported": low > none, "contradicted (reversed)": reversed_}
    elif aim.shape == "band":
        conditions = {
            "supported": within,
            "contradicted (outside)": beyond,
            "weaker than stated (near miss)": beside and not beyond,
        }
    else:
        conditions = {"supported": within, "contradicted (outside)": beside}
    decided = any(conditions.values())
    conditions["open (size)"] = not decided and not includes
    conditions["open (direction)"] = not decided and includes
    return [word for word, holds in conditions.items() if holds]


@BY_NAME
def test_d_and_shape_are_those_of_the_rule(name):
    aim = verdict.target(*of(name))
    assert aim.shape == CASES[name][4]
    assert verdict.distance(*of(name)) == pytest.approx(CASES[name][5])


@BY_NAME
def test_every_interval_of_the_grid_has_exactly_one_verdict(name):
    aim, ends = grid(name)
    seen = set()
    for low, high in itertools.combinations_with_replacement(ends, 2):
        right = expected(aim, low, high)
        assert len(right) == 1, (low, high, right)
        code = int(verdict.classify(low, high, aim))
        assert str(verdict.OUTCOMES[code]) == right[0], (low, high)
        seen.add(right[0])
    assert seen == WORDS[aim.shape]


@BY_NAME
def test_many_intervals_at_once_are_judged_like_each_alone(name):
    aim, ends = grid(name)
    pairs = list(itertools.combinations_with_replacement(ends, 2))
    codes = verdict.classify(*np.transpose(pairs), aim)
    for (low, high), code in zip(pairs, codes):
        a, b = sorted((aim.outward(low), aim.outward(high)))
        # exp and log of a mark need not come back to it: compare away from the marks only
        if aim.log and not all(abs(x - y) > 1e-9 for x in (low, high) for y in _marks(aim)):
            continue
        assert judged(name, a, b) == str(verdict.OUTCOMES[code])


def _marks(aim):
    half = aim.distance / 2
    none = aim.nothing
    return (aim.low, aim.high, aim.outer_low, aim.outer_high, none, none - half, none + half)


SYMMETRICAL = [name for name in CASES if CASES[name][1] in ("mean difference", "mean")]


@pytest.mark.parametrize("name", SYMMETRICAL)  # shares and ratios have ends
def test_a_claim_turned_round_has_the_same_verdicts(name):
    region, statistic, reference, smallest = of(name)
    flip = lambda x: None if x is None else -x  # noqa: E731
    outer = None if region.outer is None else (-region.outer[1], -region.outer[0])
    turned = Region(flip(region.at_most), flip(region.at_least), outer)
    _, ends = grid(name)
    for low, high in itertools.combinations_with_replacement(ends, 2):
        one = Interval(0, low, high, 0.99, 9, "")
        two = Interval(0, -high, -low, 0.99, 9, "")
        assert verdict.judge(one, region, statistic, reference, smallest) == verdict.judge(
            two, turned, statistic, flip(reference), smallest
        )


@pytest.mark.parametrize(
    "name, low, high, word",
    [
        ("at least", 0.2, 0.5, "supported"),
        ("at least", 0.15, 0.2, "open (size)"),  # its upper end touches the region
        ("at least", 0.15, 0.1999, "weaker than stated"),
        ("at least", 0.0, 0.15, "weaker than stated (perhaps nothing)"),
        ("at least", -0.1, 0.1, "contradicted (as good as none)"),
        ("at least", 0.01, 0.1, "weaker than stated"),  # near none, but it is excluded
        ("at least", -0.3, 0.0, "weaker than stated (perhaps nothing)"),
        ("at least", -0.3, -0.001, "contradicted (reversed)"),
        ("at least", -0.3, 0.2, "open (direction)"),
        ("any size", 0.0, 0.4, "open (direction)"),
        ("any size", 0.0, 0.0, "open (direction)"),  # equal to the last bit: no direction
        ("any size", 0.001, 0.4, "supported"),
        ("around half", 0.26, 0.39, "weaker than stated (near miss)"),
        ("around half", 0.1, 0.2, "contradicted (outside)"),
        ("around half", 0.2, 0.39, "weaker than stated (near miss)"),
        ("similar", -0.2, 0.2, "supported"),
        ("similar", 0.2, 0.3, "open (size)"),
        ("similar", 0.21, 0.3, "contradicted (outside)"),
        ("no worse", -5, -4, "supported"),
        ("no worse", 0.46, 0.66, "contradicted (outside)"),
        ("ratio down", 0.6, 0.75, "supported"),
        ("ratio down", 0.8, 0.95, "weaker than stated"),
    ],
)
def test_edges_by_hand(name, low, high, word):
    assert judged(name, low, high) == word


@pytest.mark.parametrize(
    "kind, low, high, word",
    [
        ("bound", 0.5, 1.0, "supported"),
        ("bound", 0.5, 1.1, "open (bound)"),
        ("bound", 3.0, 4.0, "open (bound)"),  # a bound never contradicts nearness
        ("exact", 0.5, 1.0, "supported"),
        ("exact", 0.5, 1.1, "contradicted (counterexample)"),
        ("exact", 0.5, math.nan, "contradicted (counterexample)"),
        ("exact", 0.5, math.inf, "contradicted (counterexample)"),
    ],
)
def test_bounds_and_exact_claims(kind, low, high, word):
    found = Interval(0.7, low, high, 0.99, 100, "made up")
    assert str(verdict.judge(found, Region(at_most=1.0), kind=kind)) == word


@pytest.mark.parametrize("share, word", [(0.0, "open (none found)"), (0.0025, "supported")])
def test_one_instance_is_enough_and_none_contradicts_nothing(share, word):
    found = Interval(share, 0.0, 0.1, 0.99, 400, "Wilson")
    assert str(verdict.judge(found, None, kind="existence")) == word


@pytest.mark.parametrize(
    "region, statistic, reference, smallest",
    [
        (Region(at_least=0.2), "mean", None, None),
        (Region(at_least=0.2), "ratio", 1.0, None),
        (Region(at_least=-1.0), "ratio", None, None),
        (Region(at_least=0.0), "mean difference", None, None),
        (Region(at_least=1.0), "ratio", None, 1.0),
        (Region(0.1, 0.2), "mean difference", None, None),
        (Region(0.0, 0.2), "mean difference", None, None),
        (Region(0.2, 0.2), "mean difference", None, None),
        (Region(-0.1, 0.2, (-0.3, 0.3)), "mean difference", None, None),
        (Region(0.1, 0.2, (0.15, 0.3)), "mean difference", None, None),
        (Region(0.1, 0.2, (0.1, 0.2)), "mean difference", None, None),
        (Region(0.1, 0.2, (0.0, 0.3)), "mean difference", None, None),
        (Region(at_least=0.1, outer=(0.0, 0.3)), "mean difference", None, None),
        (Region(at_least=0.1), "median", None, None),
    ],
)
def test_what_does_not_fit_together_is_refused(region, statistic, reference, smallest):
    with pytest.raises(ValueError, match="Argument"):
        verdict.target(region, statistic, reference, smallest)


# ------------------------------------------------------------------------------ parts and settings


def test_parts_combine_in_the_order_of_the_rule():
    order = ("contradicted", "not testable here", "open", "weaker than stated", "supported")
    for size in (1, 2, 3):
        for words in itertools.product(order, repeat=size):
            found = verdict.combine_parts([Verdict(word) for word in words])
            assert found.word == min(words, key=order.index)


def test_details_of_the_parts_that_decide_are_kept():
    parts = [Verdict("supported"), Verdict("open", "size"), Verdict("open", "direction")]
    assert verdict.combine_parts(parts) == Verdict("open", "size, direction")


def test_main_settings_that_differ_leave_the_reading_open():
    one, two = Verdict("supported"), Verdict("weaker than stated")
    assert verdict.common_verdict([one, two]) == Verdict("open", "reading")
    assert verdict.common_verdict([one, one]) == one
    both = [Verdict("contradicted", "reversed"), Verdict("contradicted", "as good as none")]
    assert verdict.common_verdict(both) == Verdict("contradicted", "reversed, as good as none")


# ------------------------------------------------------------------------------------------- gates


@pytest.mark.parametrize("gate", ["manipulation", "selection"])
@pytest.mark.parametrize("shape", list(WORDS))
def test_manipulation_and_selection_guard_every_verdict(gate, shape):
    for outcome in verdict.OUTCOMES:
        assert verdict.guard(outcome, [gate], shape) == Verdict("not testable here", gate)


@pytest.mark.parametrize("gate", ["attainable", "reliability"])
def test_attainable_and_reliability_guard_disappointing_verdicts_only(gate):
    stand = {"supported", "contradicted (reversed)"}
    for outcome in verdict.OUTCOMES:
        for shape in ("size", "direction", "band"):
            after = verdict.guard(outcome, [gate], shape)
            assert (after == outcome) == (str(outcome) in stand)
        for shape in ("equivalence", "non-inferiority"):
            after = verdict.guard(outcome, [gate], shape)
            assert (after == outcome) == (outcome.word != "supported")


def test_gates_that_pass_change_nothing():
    for outcome in verdict.OUTCOMES:
        assert verdict.guard(outcome, []) == outcome


def test_the_gates_that_guard_all_are_named_first():
    found = verdict.guard(Verdict("open", "size"), ["attainable", "selection"])
    assert found == Verdict("not testable here", "selection")
