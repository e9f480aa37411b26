"""What the graded assignments ask for, computed anew from a student's seed: not in the student edition.

`series` trains and solves; `derived` follows from series, the student's own or ours; `mistakes` are wrong numbers that
are met often, with what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers import assignments, stats
from helpers.claims import verdict
from helpers.claims.entries import Region
from helpers.experiments import double_descent, minima, noisy_line, random_features
from helpers.geometry import landscape, measures

Arrays = Mapping[str, np.ndarray]
ORDERS = 10_000  # orders of magnitude that a question of assignment 04 asks for


def series(work: assignments.Work) -> dict[str, np.ndarray]:
    """Return every series of an assignment, (replicates,) each."""
    return {"01": _line, "04": _basins, "07": _descent}[work.number](work)


def derived(work: assignments.Work, known: Arrays) -> dict[str, Any]:
    """Return every number and choice of an assignment that follows from its series."""
    return {"01": _of_line, "04": _of_basins, "07": _of_descent}[work.number](work, known)


def mistakes(work: assignments.Work, known: Arrays) -> dict[str, list[tuple[float, str]]]:
    """Return wrong numbers that are met often: by item, each with what was done."""
    return {"01": _slips_line, "04": _slips_basins, "07": _slips_descent}[work.number](work, known)


def _word(values, baseline, statistic, **region):
    """Return the verdict's word on a mean difference or ratio, pair by pair."""
    found = (stats.paired_interval if "difference" in statistic else stats.ratio_interval)(
        values, baseline
    )
    return verdict.judge(found, Region(**region), statistic).word


# ------------------------------------------------------------------------------------- 01: the line


def _line(work):
    """Return the mean squared distance to the true line: network, least squares, network with a decaying rate."""
    sets = [noisy_line.draw(work.seed, row) for row in range(work.replicates)]
    x, truth = noisy_line.places(sets[0])
    found = {"line": np.mean((noisy_line.least_squares(sets, x) - truth) ** 2, axis=1)}
    recipe = {"hidden": [100] * 5, "epochs": work.pick(200, 4), "rate": 0.01}
    for name, decay in (("network", False), ("decayed", True)):
        runs = noisy_line.train(work.seed, sets, decay=decay, **recipe)
        curves = noisy_line.curves_of(runs, sets, sets[0].x_test)
        found[name] = np.mean((curves - truth) ** 2, axis=1)
    return found


def _of_line(work, known):
    extra = known["network"] - known["line"]
    found, size = stats.mean_interval(extra), work.given["size"]
    return {
        "mean": extra.mean(),
        "deviation": extra.std(ddof=1),
        "low": found.low,
        "high": found.high,
        "share": np.mean(extra <= size),
        "verdict": _word(known["network"], known["line"], "mean difference", at_most=size),
        "runs_needed": 16.0 * assignments.SHEETS["01"].replicates,
        "refuted_if": "it stays",
        "left": np.mean(known["decayed"] - known["line"]) / extra.mean(),
    }


def _slips_line(work, known):
    extra, n = known["network"] - known["line"], work.replicates
    return {
        "mean": [(known["network"].mean(), "the line's own error is not subtracted")],
        "deviation": [
            (extra.std(ddof=1) / np.sqrt(n), "that is the standard error of the mean"),
            (known["network"].std(ddof=1), "of the network alone, not of the difference"),
        ],
        "share": [
            (np.mean(extra > work.given["size"]), "the share that is beyond the size"),
            (np.sum(extra <= work.given["size"]), "a count, not a share"),
            (np.mean(known["network"] <= work.given["size"]), "of the network alone"),
        ],
        "runs_needed": [(4.0 * assignments.SHEETS["01"].replicates, "the root of n is missing")],
        "left": [(known["decayed"].mean() / known["network"].mean(), "of the whole error")],
    }


# ------------------------------------------------------------------------------------ 04: the basins


def _basins(work):
    """Return the share of new signals that is right, and the mean radius at equal loss, of good and bad networks."""
    sets = [minima.draw("signals", work.seed, row) for row in range(work.replicates)]
    network, found = minima.network("signals"), {}
    for name in ("good", "bad"):
        made = minima.minima("signals", work.seed, sets, share=0.5, flipped=name == "bad")
        ways = landscape.directions(network, made.weights, 16, "filter", seed=work.seed)
        clean = made.stack.x_val, made.stack.y_val
        radii = measures.crossing_radii(network, made.weights, ways, *clean, threshold=0.1)
        found |= {name: made.test, f"radius_{name}": radii.mean(axis=1)}
    return found


def _of_basins(work, known):
    good, bad, size = known["radius_good"], known["radius_bad"], work.given["size"]
    ratio = stats.ratio_interval(good, bad).estimate
    return {
        "ratio": ratio,
        "wider": np.mean(good > bad),
        "verdict": _word(good, bad, "ratio", at_least=size),
        "orders": work.given["weights"] * np.log10(ratio),
        "needed": 10 ** (ORDERS / work.given["weights"]),
        "rescaled": "plain",
    }


def _slips_basins(work, known):
    good, bad = known["radius_good"], known["radius_bad"]
    ratio = stats.ratio_interval(good, bad).estimate
    return {
        "ratio": [(1 / ratio, "upside down: bad over good")],
        "orders": [
            (
                work.given["weights"] * np.log(ratio),
                "natural logarithms: an order is a factor of ten",
            )
        ],
        "needed": [(np.exp(ORDERS / work.given["weights"]), "e instead of 10")],
    }


# ------------------------------------------------------------------------------------ 07: the descent


def _descent(work):
    """Return errors and squared errors of random features, and errors of two networks."""
    n = work.given["examples"]
    places = {"few": round(0.4 * n), "one": n, "many": 20 * n}
    rows: dict[str, list] = {}
    for row in range(work.replicates):
        (x, y), _, (x_new, y_new) = random_features.draw(work.seed, row, examples=n)
        v = random_features.directions(work.seed, row, 40, 20 * n)
        wanted = random_features.targets(y)
        for name, count in places.items():
            phi, new = (random_features.features(part, v[:, :count]) for part in (x, x_new))
            fit = random_features.Fit(phi)
            scores = new @ fit.weights(wanted)
            rows.setdefault(f"errors_{name}", []).append(random_features.errors(scores, y_new))
            rows.setdefault(f"squared_{name}", []).append(random_features.squared(scores, y_new))
            if name == "one":
                scores = new @ fit.weights(wanted, work.given["penalty"])
                rows.setdefault("ridge", []).append(random_features.errors(scores, y_new))
    found = {name: np.array(values) for name, values in rows.items()}
    sets = [double_descent.draw(work.seed, row, examples=n) for row in range(work.replicates)]
    stack, (_, _, x_new, y_new) = (
        double_descent.stacked(sets, "squared"),
        double_descent.arrays(sets),
    )
    for units in (128, 512):
        recipe = {"epochs": work.pick(200, 3), "rate": 0.003}
        runs = double_descent.train(work.seed, stack, units, **recipe)
        found[f"units_{units}"] = double_descent.score(runs, x_new, y_new)[0]
    return found


def _of_descent(work, known):
    few, one, many = (known[f"errors_{place}"] for place in ("few", "one", "many"))
    squared_few, squared_many = known["squared_few"], known["squared_many"]
    return {
        "gain": np.mean(few - many),
        "ratio": stats.ratio_interval(squared_many, squared_few).estimate,
        "verdict_errors": _word(few, many, "mean difference", at_least=1.0),
        "verdict_squared": _word(squared_many, squared_few, "ratio", at_most=1 / 1.1),
        "left": np.mean(known["ridge"] - few) / np.mean(one - few),
    }


def _slips_descent(work, known):
    few, one, many = (known[f"errors_{place}"] for place in ("few", "one", "many"))
    return {
        "gain": [
            (np.mean(many - few), "the sign: fewer errors are a gain"),
            (np.mean(one - many), "against the peak, not against few features"),
        ],
        "ratio": [
            (
                1 / stats.ratio_interval(known["squared_many"], known["squared_few"]).estimate,
                "upside down",
            )
        ],
        "left": [(known["ridge"].mean() / one.mean(), "of all errors, not of the rise")],
    }
