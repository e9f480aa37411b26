"""The controls: what they cover, what is committed of them, and the cheap ones once more."""

import json
import pathlib
import sys

import numpy as np
import pytest

from helpers import _written

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import controls  # noqa: E402
from control_runs import CONTROLS, FAMILIES, KINDS, Control  # noqa: E402

sys.path.pop(0)

KNOWN = controls.known_claims(ROOT)
STORED = json.loads((ROOT / "results" / "controls.json").read_text(encoding="utf-8"))


def kinds_of(family):
    return {control.kind for control in CONTROLS if control.family == family}


def test_every_claim_has_a_family_and_every_family_claims():
    assert {controls.family_of(id) for id in KNOWN} == set(FAMILIES)
    assert {control.kind for control in CONTROLS} == set(KINDS)
    with pytest.raises(ValueError, match="must be in one family"):
        controls.family_of("overfitting-blog-x")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_controls(family):
    doubtful = [id for id in KNOWN if controls.family_of(id) == family and KNOWN[id]["verdict"] != "supported"]
    wanted = {"A/A"} | ({"known effect"} if doubtful else set())
    assert wanted <= kinds_of(family), f"what shows that {doubtful} could have come out otherwise?"


def test_a_control_uses_a_claim_of_its_own_family():
    assert [c.run.__name__ for c in CONTROLS if controls.family_of(c.claim) != c.family] == []


def test_the_committed_results_are_those_of_these_controls_and_all_held():
    fields = ("family", "kind", "claim", "text")
    stored = [[part[field] for field in fields] for part in STORED["controls"]]
    assert stored == [[getattr(control, field) for field in fields] for control in CONTROLS]
    assert [part["text"] for part in STORED["controls"] if not part["held"]] == []
    assert [part["times"] for part in STORED["repeated"]] == [200, 200]
    assert all(part["excluded"] <= 5 for part in STORED["repeated"])


def test_the_readme_shows_them():
    old, new = _written.renewed(ROOT / "README.md", controls.BEGIN, controls.END, controls.section(STORED))
    assert old == new, "run `make controls`"


@pytest.mark.parametrize("control", [c for c in CONTROLS if c.cheap], ids=lambda c: c.run.__name__)
def test_a_cheap_control_comes_out_as_it_has_to(control):
    found = controls.judged(control, KNOWN[control.claim])
    assert found["held"], found


def judged(kind, one, other=None, claim="keras-post/longer-training-overfits"):
    """Return what a control with these values would say; the region of the claim is 0.2 or more."""
    return controls.judged(Control("longer and wider", kind, claim, "", True, lambda: (one, other)), KNOWN[claim])


def test_controls_can_fail():
    noise = np.random.default_rng(0).normal(size=(2, 60))
    assert judged("A/A", noise[0], noise[1])["held"] and not judged("A/A", noise[0] + 2, noise[1])["held"]
    assert judged("known effect", noise[0] + 2, noise[1])["held"]
    assert not judged("known effect", noise[0] + 0.3, noise[1])["held"]  # some effect, and no room to spare
    assert judged("cause", noise[0] + 5, noise[1] + 1)["held"] and judged("cause", noise[0] - 5, noise[1] + 1)["held"]
    assert not judged("cause", noise[0] + 5, noise[1] + 4)["held"]  # most of it stays
    assert not judged("cause", noise[0], noise[1])["held"]  # there was no effect
