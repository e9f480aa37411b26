"""Every registered experiment: a function that takes its recipes, rows that do not depend on n, arrays that fit."""

import inspect

import numpy as np
import pytest

from helpers.claims import planning, registry
from helpers.experiments import noisy_line, run, store
from helpers.experiments.store import CONSTANTS, Place

KNOWN = registry.load()
QUICK = Place("quick")


# One of each function; `make verify` trains rows of all of them, and compares with a store of many more rows.
ONE_EACH = {e.function: e for e in reversed(KNOWN.experiments.values())}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ONE_EACH.values(), ids=lambda e: e.id)
def test_a_row_does_not_depend_on_how_many_rows_there_are(experiment):
    n = experiment.n_for("quick")
    few = store.flat(run.compute(experiment, KNOWN, QUICK))
    more = store.flat(run.compute(experiment, KNOWN, QUICK, n + 2))
    assert list(few) == list(more)
    for name, values in few.items():
        rows = len(values) if name.startswith(f"{CONSTANTS}/") else n
        assert np.array_equal(values, more[name][:rows]), name


@pytest.mark.parametrize("profile", ["full", "quick"])
@pytest.mark.parametrize("experiment", KNOWN.experiments.values(), ids=lambda e: e.id)
def test_a_function_takes_the_recipe_of_an_experiment(experiment, profile):
    signature = inspect.signature(run.function_of(experiment))
    signature.bind(0, experiment.n_for(profile), **experiment.recipe_for(profile))


def test_where_training_is_forbidden_the_quick_profile_reads_the_full_store(monkeypatch):
    monkeypatch.setenv("GENERALIZE_STORE", "only")
    experiment = KNOWN.experiments["two_rates/ten_pairs"]
    arrays, entry = run.obtain(experiment.id, KNOWN, QUICK)
    assert entry.n == experiment.n and all(len(v) == entry.n for v in arrays.values())


def test_what_claims_ask_of_an_experiment_is_in_the_store():
    for experiment in KNOWN.experiments.values():
        if experiment.lesson != registry.MINE:
            arrays = store.read(experiment.id, KNOWN.registration(experiment.id))
            due = f"{experiment.id} is registered and not stored: `make experiments ONLY={experiment.id}`"
            assert arrays is not None, due
            run.all_named(experiment, KNOWN, arrays)


def test_the_committed_store_is_small():
    files = list(Place().folder.rglob("*.npz"))
    assert files and sum(file.stat().st_size for file in files) < 10_000_000


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"a": np.zeros(3)}, "4 replicates first"),
        ({"a": np.float32(1)}, "4 replicates first"),
        ({"a": np.array([1, 2, np.nan, 4])}, "finite"),
        ({"a": np.array(list("abcd"))}, "numbers or bools"),
    ],
)
def test_arrays_that_the_store_does_not_keep_are_refused(arrays, says):
    with pytest.raises(ValueError, match=says):
        run.checked("world/name", arrays, 4)


def test_a_function_that_is_not_there_is_named():
    broken = KNOWN.experiments["noisy_line/rivals"].__class__(
        "a/b", "01", "noisy_line.nothing", 2, {}, {}, 0
    )
    with pytest.raises(ValueError, match=r"noisy_line\.nothing.*claims/01\.toml"):
        run.function_of(broken)


# Claims whose intervals were planned wider than d / 2, and why that is accepted.
WIDER = {
    "ours/ten-pairs": "too few on purpose: it shows what an open verdict is",
    "ours/trained-until-it-fits": "300 sets of four seconds each are what twenty minutes allow",
    "overfitting-blog/linear-regression-is-optimal": "its network scatters most of seven, far from 0",
    "ours/textbook-example-descends-again": "the pilot's effects are twelve times the sizes asked for",
    "ours/widest-network-fewest-errors": "wider than half a size by a hundredth; the pilot is twice the size",
    "keras-post/batch-norm-similar-training-loss": "the losses differed by six times the size asked for",
    "keras-post/batch-norm-smooths-the-landscape": "the pilot's effect is nine times the size asked for",
    "ours/noise-of-small-batches-regularizes": "wider than half a size by a fiftieth of a percent",
    "ours/he-lowers-test-error": "a rival that made five points more errors in the pilot",
    "ours/stays-reasonable-when-trained-on": "planned with the scatter at epoch 5,000, five times as long",
    "keras-post/l2-is-simpler": "pieces and units scatter much; the pilot has more of both, not fewer",
    "generalization-thread/small-start-makes-smoother": "bends scatter much, and the pilot has four times as many",
    "generalization-thread/l2-makes-smoother": "bends scatter much, and the pilot has half as many",
    "generalization-thread/networks-are-as-smooth-as-possible": "bends scatter much; the pilot has twice as many",
    "ours/what-folds-gain-is-a-tail": "planned at the edge, one half; the pilot is far from it",
    "keras-post/l2-helps-more-in-high-dimension": "180 sets at four numbers of inputs are what the other claims need",
    "huang-summary/bad-basins-are-smaller": "by five rulers seven times the size in the pilot, by the sixth exact",
    "huang-summary/good-basins-are-larger": "by every ruler more than six times the size in an earlier draw",
    "ours/stretched-rays-find-more": "the pilot's effect is ten times the size asked for",
    "huang-summary/boundaries-wiggle": "the pilot's effect is four times the size asked for",
    "huang-summary/good-have-wider-margins": "the pilot's effect is ten times the size asked for",
    "ours/recipe-share-of-flatness": "the pilot's loss by the recipe alone is a hundredth of the whole",
    "ours/no-wide-margin-takes-longer": "the pilot took fifteen times as long",
    "flat-minima/good-survive-perturbation": "the pilot's effect is nine times the size asked for",
    "ours/a-little-narrower-is-enormously-smaller": "the effect was six times the size asked for",
    "zhang2017/random-labels-take-longer": "the pilot's effects are three and ten times the size asked for",
    "keras-post/overfitting-grows-with-dimension": "the pilot's effect is forty times the smallest that counts",
    "lottery/lenet-lead-at-own-rates": "forty trials, wider than half a size by a fifth; in the results only",
    "lottery/lenet-beats-random-mask": "forty trials, wider than half a size by a fifth; in the results only",
    "ours/ticket-is-faster-than-a-random-mask": "in the results only; in the pilot the rival took four times as long",
    "lottery/mnist1d-ticket-transfers": "over a random mask the pilot's effect is four times the size asked for",
    "ours/the-mask-alone-transfers": "in the results only; the pilot's effect is twice the size asked for",
    "ours/shifted-copies-help": "in the results only; the pilots' effects are six and eleven times the size asked for",
    "ours/fooled-more-easily-than-a-neighbour": "in the results only; the effect was four times the size asked for",
    "ours/trained-on-it-leaves-the-guess": "the pilot's effect is six times the size asked for",
    "ours/network-leads-its-own-kernel": "in the results only; the pilot's effect is six times the size asked for",
    "rahaman2019/low-frequencies-first": "in the results only; the pilot's highest frequency took fifty times as long",
    "ours/its-own-kind-at-equal-accuracy": "in the results only; the pilot's effects are twice the sizes asked for",
    "generalization-thread/more-exactly-with-100-signals": "in the results only; wider than half a size by a hundredth",
    "ours/the-rate-of-the-search-makes-the-ticket": "the pilot's effect is twice the size asked for",
}


def test_n_is_as_large_as_the_rule_asks():
    for claim in KNOWN.claims.values():
        for setting in claim.main if claim.kind == "estimate" else ():
            for quantity in claim.quantities(setting):
                if not quantity.experiment:  # its data are not here
                    continue
                half = planning.half_width(quantity, KNOWN.experiments[quantity.experiment].n)
                text = f"{claim.id}: half-width {half} d. Raise n, or enter it in WIDER with the reason."
                assert half is None or half <= 0.5 or claim.id in WIDER, text


def test_the_mean_error_of_least_squares_at_its_training_inputs_is_two_s2_over_n():
    for row in range(5):
        one = noisy_line.draw(1000, row)
        assert abs(noisy_line._mean_error(one) - 2 * noisy_line.VARIANCE / one.n_train) < 1e-12
