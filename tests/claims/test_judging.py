import dataclasses
import json

import numpy as np
import pytest
import registered

from helpers.claims import judging, ledger, registry
from helpers.claims.entries import Control, Gate, Region
from helpers.claims.ledger import Record

N = 300


def noise(seed, n=N, sd=0.1):
    return np.random.default_rng(seed).normal(0, sd, n)


def arrays(late=0.5, gain=1.0):
    """Return the arrays of one experiment that every registered claim can be judged from."""
    early = 4 + noise(0)
    return {
        "early": early,
        "late": early + late + noise(1),
        "gain": gain + noise(2),
        "line": 0.1 + noise(3, sd=0.01),
        "ridge": 0.5 + noise(4),
        "spline": 0.9 + noise(5),
        "is_bad": np.arange(N) == 7,
        "is_bad_again": np.arange(N) == 7,
        "largest_difference": np.full(N, 1e-6, np.float32),
        "distance": 0.5 + noise(6),
        "converged": np.arange(N) % 2 == 0,
        "constants": {"grid": np.arange(3)},
    }


@pytest.fixture
def found(tmp_path):
    folder = tmp_path / "claims"
    folder.mkdir()
    registered.write(folder, registered.everything())
    return registry.load(folder)


def judge(found, name, one=None, other=None, **changes):
    claim = dataclasses.replace(found.claims[name], **changes)
    stored = {"world/longer": one, "world/second": other if other is not None else one}
    return judging.judge_claim(claim, stored.get)


CLAIM = "keras-post/overfits"


def test_a_claim_is_judged_in_main_and_elsewhere(found):
    record = judge(found, CLAIM, arrays(0.5), arrays(0.0))
    assert str(record.verdict) == "supported" and record.n == N
    assert record.estimate == pytest.approx(0.5, abs=0.05)
    assert record.interval.low < record.estimate < record.interval.high
    assert record.one_run > 0.95 and record.gates[0].passed
    other = record.elsewhere[0]
    assert (other.name, other.word, other.detail) == (
        "fifty inputs",
        "contradicted",
        "as good as none",
    )
    assert record.deciding.could_show_none is True


@pytest.mark.parametrize(
    "late, gain, word, note",
    [
        (0.5, 1.0, "supported", ""),
        (0.5, 0.1, "supported", "nothing to gain here"),
        (-0.5, 0.1, "contradicted (reversed)", "nothing to gain here"),
        (0.0, 1.0, "contradicted (as good as none)", ""),
        (0.0, 0.1, "not testable here (attainable)", ""),
        (0.1, 1.0, "weaker than stated", ""),
        (0.1, 0.1, "not testable here (attainable)", ""),
        (0.2, 1.0, "open (size)", ""),
    ],
)
def test_gates_guard_as_the_rule_says(found, late, gain, word, note):
    record = judge(found, CLAIM, arrays(late, gain))
    assert str(record.verdict) == word
    assert ledger.note(record.deciding) == note
    assert record.estimate == pytest.approx(late, abs=0.05)  # the estimate stands in any case


def test_missing_data_are_not_testable_and_the_nearest_is_named(found):
    record = judging.judge_claim(found.claims[CLAIM], {"world/second": arrays()}.get)
    assert str(record.verdict) == "not testable here (no data)"
    assert record.nearest == "fifty inputs" and record.interval is None and record.n == 0
    nothing = judging.judge_claim(found.claims[CLAIM], lambda name: None)
    assert nothing.nearest == ""
    assert nothing.elsewhere[0].detail == "no data"


def test_a_gate_whose_data_are_missing_fails(found):
    claim = found.claims[CLAIM]
    gate = Gate("attainable", "gain", experiment="world/none")
    main = (dataclasses.replace(claim.main[0], gates=(gate,)),)
    record = judge(found, CLAIM, arrays(0.1), main=main)
    assert record.detail == "attainable" and "data are not here" in record.gates[0].answer


def test_parts_decide_together(found):
    name = "overfitting-blog/optimal"
    one = arrays()
    record = judge(found, name, one)
    assert str(record.verdict) == "supported" and [p.name for p in record.parts] == [
        "ridge",
        "spline",
    ]
    record = judge(found, name, {**one, "spline": one["line"] - 0.5})
    assert str(record.verdict) == "contradicted (reversed)"
    assert record.deciding.name == "spline" and record.estimate == pytest.approx(-0.5)


def test_two_arms_that_are_equal_to_the_last_bit_support_nothing(found):
    one = arrays()
    record = judge(found, "overfitting-blog/optimal", {**one, "ridge": one["line"]})
    assert str(record.verdict) == "open (direction)"


def test_readings_that_differ_leave_it_open(found):
    one, other = arrays(), arrays()
    other["converged"] = np.arange(N) % 10 == 0
    record = judge(found, "xor-thread/half", one, other)
    assert str(record.verdict) == "open (reading)"
    assert [setting.word for setting in record.main] == ["supported", "contradicted"]
    assert str(judge(found, "xor-thread/half", one, one).verdict) == "supported"


def test_existence_needs_an_instance_that_was_verified_again(found):
    name, one = "huang-summary/bad-minima-exist", arrays()
    assert judge(found, name, one).word == "supported"
    again = {**one, "is_bad_again": np.zeros(N, bool)}
    record = judge(found, name, again)
    assert str(record.verdict) == "open (none found)" and record.one_run == 0


@pytest.mark.parametrize(
    "value, word",
    [
        (1e-5, "supported"),
        (2e-5, "contradicted (counterexample)"),
        (np.nan, "contradicted (counterexample)"),
    ],
)
def test_one_counterexample_contradicts_an_exact_claim(found, value, word):
    one = arrays()
    one["largest_difference"] = np.where(np.arange(N) == 4, value, 1e-6)
    record = judge(found, "generalization-thread/same", one)
    assert str(record.verdict) == word
    assert Record.from_json(json.loads(json.dumps(record.to_json()))).verdict == record.verdict


def test_a_bound_supports_or_says_nothing(found):
    one = arrays()
    assert judge(found, "huang2019/near", one).word == "supported"
    record = judge(found, "huang2019/near", {**one, "distance": 3 + noise(6)})
    assert str(record.verdict) == "open (bound)"


def test_only_the_selected_count_and_all_stand_beside(found):
    claim, one = found.claims[CLAIM], arrays(0.5)
    one["fit"] = np.arange(N) < 250
    one["late"] = np.where(one["fit"], one["late"], one["late"] - 30)
    gates = (*claim.main[0].gates, Gate("selection", "fit"))
    record = judge(found, CLAIM, one, main=(dataclasses.replace(claim.main[0], gates=gates),))
    assert record.word == "supported" and record.n == 250
    assert record.deciding.over_all.n == N and record.deciding.over_all.estimate < -3
    one["fit"] = np.arange(N) < 200
    record = judge(found, CLAIM, one, main=(dataclasses.replace(claim.main[0], gates=gates),))
    assert str(record.verdict) == "not testable here (selection)" and record.n == 200
    one["fit"] = np.arange(N) < 1
    record = judge(found, CLAIM, one, main=(dataclasses.replace(claim.main[0], gates=gates),))
    assert record.detail == "selection" and record.interval is None


def test_a_manipulation_that_failed_takes_any_verdict(found):
    name, one = "generalization-thread/same", arrays()
    gate = Gate("manipulation", "distance", statistic="mean", region=Region(at_most=0.1))
    main = (dataclasses.replace(found.claims[name].main[0], gates=(gate,)),)
    assert str(judge(found, name, one, main=main).verdict) == "not testable here (manipulation)"


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["keras-post/overfits", "overfitting-blog/optimal",
    "huang-summary/bad-minima-exist", "generalization-thread/same", "huang2019/near", "xor-thread/half"])  # fmt: skip
@pytest.mark.parametrize("data", [True, False])
def test_records_come_back_from_json(found, name, data):
    one = arrays() if data else None
    record = judge(found, name, one)
    text = json.dumps(record.to_json(), allow_nan=False)
    assert Record.from_json(json.loads(text)) == record


def test_records_with_controls_come_back(found):
    control = Control(CLAIM, "same", "world/second", "early", "early", "", "Nothing differs.")
    result = judging.judge_control(control, found.claims[CLAIM], {"world/second": arrays()}.get)
    other = dataclasses.replace(result, claim="some/other")
    record = judging.judge_claim(found.claims[CLAIM], lambda name: arrays(), [result, other])
    assert record.controls == (result,)
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_a_lesson_is_one_file_written_only_when_it_changed(found, tmp_path):
    records = [judge(found, name, arrays()) for name in found.claims]
    folder = tmp_path / "results"
    assert ledger.write(folder, "01_world", records)
    before = (folder / "01_world.json").read_bytes()
    assert not ledger.write(folder, "01_world", records)
    assert (folder / "01_world.json").read_bytes() == before
    assert list(folder.iterdir()) == [folder / "01_world.json"]
    assert ledger.load(folder) == {record.id: record for record in records}
    assert ledger.load(tmp_path / "none") == {}


# --------------------------------------------------------------------------------------- controls


def control(found, kind, control_arrays, claim_arrays=None, **changes):
    one = Control(CLAIM, kind, "world/control", "late", "early")
    stored = {"world/control": control_arrays, "world/longer": claim_arrays}
    return judging.judge_control(
        dataclasses.replace(one, **changes), found.claims[CLAIM], stored.get
    )


def test_same_holds_where_the_interval_includes_no_effect(found):
    assert control(found, "same", arrays(0.0)).passed
    assert not control(found, "same", arrays(0.1)).passed
    assert not control(found, "same", arrays(-0.1)).passed
    assert control(found, "same", arrays(0.0)).interval.level == 0.999


def test_known_holds_where_the_claims_region_is_supported(found):
    assert control(found, "known", arrays(0.5)).passed
    assert not control(found, "known", arrays(0.21)).passed
    assert not control(found, "known", arrays(-0.5)).passed


@pytest.mark.parametrize(
    "left, whole, right",
    [
        (0.1, 1.0, True),
        (0.4, 1.0, True),
        (0.49, 1.0, False),  # not surely half
        (0.9, 1.0, False),
        (-0.2, 1.0, True),  # reversed: all of it goes
        (0.0, 0.0, False),  # nothing to explain
        (-0.5, -1.0, False),
        (-1.0, -1.0, False),  # the claim's effect is on the other side
    ],
)
def test_cause_holds_where_half_of_the_effect_goes(found, left, whole, right):
    assert control(found, "cause", arrays(left), arrays(whole)).passed == right


def test_controls_without_data_fail(found):
    assert not control(found, "same", None).passed
    assert not control(found, "cause", arrays(0.1), None).passed


def test_a_control_of_a_part_uses_its_region(found):
    claim = found.claims["overfitting-blog/optimal"]
    one = Control(claim.id, "known", "world/control", "spline", "line", "spline")
    assert judging.judge_control(one, claim, {"world/control": arrays()}.get).passed
