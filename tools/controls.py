"""Run the controls and write `results/controls.json` and the README's table; `make controls` calls this.

Three kinds, each with an outcome that is known beforehand (the experiments themselves are in `control_runs`):

- A/A: both arms have one recipe and different seeds. The 99 % interval contains no difference.
- Known effect: theory or construction makes the claim's quantity lie in the region asserted, with room to spare. The
  verdict is *supported*: had the source been right, the experiment could have said so.
- Cause: what the text names as the cause of an effect is taken away. At least half of the effect goes, and the
  interval of what goes excludes zero.

Two A/A comparisons are repeated 200 times: of 200 honest 99 % intervals about two exclude zero, and more than five
with a chance of 1.6 %.
"""

import argparse
import fnmatch
import json
import pathlib
import sys

import control_runs
import numpy as np
from control_runs import CONTROLS, FAMILIES

from helpers import _evidence, _pooled, _written, claims, models, stats

ROOT = pathlib.Path(__file__).parent.parent
TIMES = 200  # repetitions of an A/A comparison
ENDS = ("estimate", "ci_low", "ci_high")
BEGIN, END = "<!-- controls:begin -->", "<!-- controls:end -->"


def interval(statistic, values, baseline=None):
    """Return the 99 % interval of the ledger for a claim of that statistic."""
    return _evidence.interval(statistic, values, baseline, stats.LEVEL)


def judged(control, record):
    """Run one control.

    Parameters
    ----------
    control : control_runs.Control
        The control.
    record : dict
        Its claim, from `claims.load`.

    Returns
    -------
    dict
        Family, kind, claim and text; estimate, ci_low, ci_high, n and unit; what the interval has to do
        (``expected``); whether it does (``held``). For a cause the estimate is what goes, and ``before`` the effect.
    """
    one, other = control.run()
    found = {"family": control.family, "kind": control.kind, "claim": control.claim, "text": control.text}
    found |= {"unit": record["unit"], "n": len(one), "before": None}
    ratio = record["statistic"] == "ratio"
    if control.kind == "cause":
        sign = np.sign(np.mean(one))
        part = stats.paired_interval(sign * one, sign * other)
        found |= {"before": float(abs(np.mean(one))), "expected": "at least half of the effect goes"}
        held = part.low > 0 and np.mean(sign * other) <= 0.5 * np.mean(sign * one)
    elif control.kind == "A/A":
        part = interval(record["statistic"], one, other)
        none = 1.0 if ratio else 0.0
        found["expected"] = f"{none:g} inside"
        held = part.low <= none <= part.high
    else:
        part = interval(record["statistic"], one, other)
        found["expected"] = f"supported: {record['asserted']}"
        region = _pooled.region_of(record)
        held = claims.verdict(part, region, record["smallest_effect"], ratio).verdict == "supported"
    ends = dict(zip(ENDS, map(float, (part.estimate, part.low, part.high)), strict=True))
    return found | ends | {"held": bool(held)}


def excluding_zero(statistic, arms):
    """Return how many of the intervals between two arms, (times, each) both, exclude zero."""
    found = [interval(statistic, *pair) for pair in zip(*arms, strict=True)]
    return sum(not part.low <= 0 <= part.high for part in found)


def repeated_units(times=TIMES, each=100):
    """Return how many of ``times`` Newcombe intervals exclude zero: two XOR units, ``each`` runs an arm."""
    arms = []
    for arm in (0, 1):
        stack = control_runs.blobs(times * each, 20 + arm)
        arms.append(control_runs.xor_fit(stack, 2, seed=arm)[1].reshape(times, each))
    return excluding_zero("proportion_difference", arms)


def repeated_lines(times=TIMES, each=50):
    """Return how many of ``times`` paired intervals exclude zero: one-unit lines, ``each`` data sets an arm."""
    stack = control_runs.post_sets(times * each, 22)
    arms = []
    for seed in (0, 1):
        runs = control_runs.fit(lambda: models.linear((1,), 1), stack, 30, seed, learning_rate=0.05)
        arms.append(control_runs.mse(runs, stack.x_val, stack.y_val).reshape(times, each))
    return excluding_zero("mean", arms)


REPEATED = {
    "Two XOR units, 100 runs an arm: share that converges": repeated_units,
    "One-unit lines, 50 data sets: validation MSE": repeated_lines,
}


def known_claims(root):
    """Return the committed records by claim."""
    return {record["id"]: record for record in claims.load(root / "results" / "claims")}


def family_of(id):
    """Return the family of a claim; each has exactly one."""
    found = [name for name, ids in FAMILIES.items() if any(fnmatch.fnmatch(id, one) for one in ids.split())]
    if len(found) != 1:
        raise ValueError(f"{id} must be in one family of control_runs.FAMILIES. Received: {found}. Add or narrow one.")
    return found[0]


def section(found):
    """Return the README's part: a summary, the table by family, the repeated comparisons."""
    held = sum(part["held"] for part in found["controls"])
    parts = [
        f"{held} of {len(found['controls'])} controls came out as they had to (`make controls`). *A/A*: one recipe, "
        "two seeds; no difference is inside the interval. *Known effect*: by theory or construction the asserted "
        "region holds; the verdict is *supported*. *Cause*: without what the text names as the cause, at least half of "
        "the effect is gone; the number is what goes, of how much.\n"
    ]
    rows = ["| Family | Control | Claim whose measurement is used | 99 % interval | n | As it had to |"]
    rows.append("| --- | --- | --- | --- | ---: | --- |")
    for part in sorted(found["controls"], key=lambda part: list(FAMILIES).index(part["family"])):
        shown = claims.format_interval(part["estimate"], part["ci_low"], part["ci_high"], part["unit"])
        if part["before"] is not None:
            shown += f", of {part['before']:.3g}"
        what = f"{part['kind']}: {part['text']}"
        sign = "✓" if part["held"] else "✗"
        cells = (part["family"], what, f"`{part['claim']}`", shown, f"{part['n']:,}", f"{sign} {part['expected']}")
        rows.append("| " + " | ".join(cells) + " |")
    parts.append("\n".join(rows) + "\n")
    parts += [
        f"A/A, {part['times']} times. {part['text']}: {part['excluded']} of {part['times']} intervals exclude zero "
        "(99 % intervals: two are expected, more than five are a defect).\n"
        for part in found["repeated"]
    ]
    return "\n".join(parts)


def main(argv=None):
    """Parse the command line, run, write, return the exit status: 1 where a control did not come out as it had to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="only write the README's table from what is there")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    args = parser.parse_args(argv)
    target = args.root / "results" / "controls.json"
    if not args.report:
        known = known_claims(args.root)
        found = {"schema": 1, "versions": claims.versions(), "controls": [], "repeated": []}
        for control in CONTROLS:
            found["controls"].append(judged(control, known[control.claim]))
            part = found["controls"][-1]
            sign, shown = "held" if part["held"] else "NOT HELD", claims.format_interval(*(part[k] for k in ENDS))
            print(f"{sign}: {part['family']}, {part['kind']}: {shown} ({part['expected']})", flush=True)
        for text, count in REPEATED.items():
            found["repeated"].append({"text": text, "times": TIMES, "excluded": int(count())})
            print(text, found["repeated"][-1]["excluded"], "of", TIMES, flush=True)
        _written.write(target, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    found, readme = json.loads(target.read_text(encoding="utf-8")), args.root / "README.md"
    old, new = _written.renewed(readme, BEGIN, END, section(found))
    if old != new:
        _written.write(readme, new)
    return int(not all(part["held"] for part in found["controls"]))


if __name__ == "__main__":
    sys.exit(main())
