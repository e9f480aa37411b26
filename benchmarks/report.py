"""The record of a benchmark as tables and as a section of `benchmarks/README.md`; computes medians and ratios.

A record is what `bench.py` writes as JSON: every repeat of every contender, and what it ran on.
"""

from __future__ import annotations

import dataclasses
import math
import statistics

import growth
from workloads import WORKLOADS

from helpers._base import files

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
HOW_JAX = "JAX is not installed, so its contenders were left out: `pip install -e '.[test]'`."
FEW = 10
MEASURED = "ratio (above 1 ours is faster), or ours reaches"
HEAD = (
    "workload",
    "contender",
    "networks",
    "first call",
    "per network",
    MEASURED,
    "target",
    "final loss",
)


def number(value):
    """Return a number with three significant digits and thousands separated."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def duration(seconds):
    """Return a time with its unit."""
    for factor, unit in ((1 / 3600, "h"), (1 / 60, "min"), (1, "s"), (1e3, "ms"), (1e6, "µs")):
        if abs(seconds) * factor >= 1:
            return f"{number(seconds * factor)} {unit}"
    return f"{number(seconds * 1e9)} ns"


def pooled(runs, key):
    """Return (n, mean, standard deviation) of a loss over the networks of all repeats, or None."""
    parts = [run[key] for run in runs if run[key]]
    if not parts:
        return None
    n = sum(part["n"] for part in parts)
    mean = sum(part["n"] * part["mean"] for part in parts) / n
    square = sum(part["n"] * (part["sd"] ** 2 + (part["mean"] - mean) ** 2) for part in parts) / n
    return n, mean, math.sqrt(square)


def agrees(runs, ours, key):
    """Whether a contender's mean loss is ours within four standard errors, taken from the spread of our networks.

    Fewer than `FEW` networks of ours, as in a quick run, have no spread worth the name, and nothing is flagged.
    """
    theirs, reference = pooled(runs, key), pooled(ours, key)
    if theirs is None or reference is None:
        return theirs is reference
    if reference[0] < FEW:
        return True
    error = reference[2] * math.sqrt(1 / theirs[0] + 1 / reference[0])
    # One part in a million for networks without any spread.
    return abs(theirs[1] - reference[1]) <= 4 * error + 1e-6 * abs(reference[1])


def per_network(runs):
    """Return the seconds per network of every repeat."""
    return [run["seconds"] / run["networks"] for run in runs]


def spread(values, unit="×"):
    """Return the median and, in brackets, the range of several repeats."""
    middle = f"{number(statistics.median(values))}{unit}"
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}–{number(max(values))})"


def judged(value, target, scale=1, unit="×"):
    """Return a target and whether it was reached."""
    asked = f"{target * scale:,g}{unit}"
    return f"{asked}: ✓ reached" if value >= target else f"{asked}: ✗ not reached"


def own_targets(workload, runs):
    """Return [(measured, judged)] of the targets that concern ours alone."""
    found, each = [], per_network(runs)
    for target in workload.targets:
        if target.against == "rate":
            rates = [1 / value for value in each]
            text = f"{number(statistics.median(rates))} networks/s"
            found.append((text, judged(statistics.median(rates), target.value, unit=" networks/s")))
        if target.against == "sgemm":
            flops = 6 * runs[0]["kernel_weights"] * runs[0]["examples"] * runs[0]["epochs"]
            shares = [
                flops / value / 1e9 / run["sgemm"] for value, run in zip(each, runs, strict=True)
            ]
            share = statistics.median(shares)
            rate = number(statistics.median(flops / value / 1e9 for value in each))
            found.append(
                (
                    f"{rate} GFLOP/s, {100 * share:.0f} % of sgemm",
                    judged(share, target.value, 100, " %"),
                )
            )
    if not found and workload.contenders[-1] == "predict_many":
        found.append((f"{number(1 / statistics.median(each))} networks/s", ""))
    return found


def rows(record):
    """Return the table's rows, one per contender (list of list of str)."""
    found = []
    for workload in WORKLOADS:
        results = record["workloads"].get(workload.name)
        if not results:
            continue
        ours = results[workload.contenders[-1]]
        if record["quick"]:  # shows that everything runs, no speed
            workload = dataclasses.replace(workload, targets=())
        targets = {target.against: target.value for target in workload.targets}
        about = f"**{workload.name}**: {workload.title}"
        if ours[0]["epochs"]:
            about += f", {ours[0]['examples']:,} examples, batch {workload.batch}, {ours[0]['epochs']:,} epochs"
        for name in workload.contenders:
            if name not in results:
                continue
            runs = results[name]
            each, count = per_network(runs), runs[0]["networks"]
            if runs is ours:
                own = own_targets(workload, runs)
                measured, target = ("; ".join(parts) for parts in zip(*own)) if own else ("", "")
            else:
                ratios = [a / b for a, b in zip(each, per_network(ours), strict=True)]
                measured = spread(ratios)
                target = judged(statistics.median(ratios), targets[name]) if name in targets else ""
            losses = [part for part in (pooled(runs, "loss"), pooled(runs, "val_loss")) if part]
            loss = " / ".join(f"{part[1]:.3g}" for part in losses)
            if not (agrees(runs, ours, "loss") and agrees(runs, ours, "val_loss")):
                loss += " ⚠ differs"
            first = duration(statistics.median(run["first"] for run in runs))
            row = [
                about,
                name,
                f"{count:,}",
                first,
                duration(statistics.median(each)),
                measured,
                target,
                loss,
            ]
            found.append(row)
            about = ""
    return found


def markdown(head, body, right=()):
    """Return a Markdown table; columns in ``right`` are aligned to the right."""
    rule = ["---:" if name in right else "---" for name in head]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body)) + "\n"


def limit(record):
    """Return the table of what bounds ours on the first workload, with a sentence, or "" where it was not measured."""
    measured = record.get("limit")
    if not measured:
        return ""
    head = ["part of a network's epoch"]
    for entry in measured:
        head += [f"{entry['cores']} core{'s' * (entry['cores'] > 1)}", "share"]
    body = []
    for name in measured[0]["parts"]:
        row = ["all of `fit_many`" if name == "all" else name]
        for entry in measured:
            row += [
                duration(entry["parts"][name]),
                f"{100 * entry['parts'][name] / entry['parts']['all']:.0f} %",
            ]
        body.append(row)
    last = measured[-1]
    seconds = last["parts"]["matrix products"]
    text = f"The matrix products alone run at {number(last['flops'] / seconds / 1e9)} GFLOP/s at these shapes"
    workload = WORKLOADS[0]
    fits = record["workloads"].get(workload.name, {}).get("fit")
    if fits:
        ceiling = statistics.median(per_network(fits)) / (seconds * fits[0]["epochs"])
        text += f": if nothing else took any time, `fit_many` would be {number(ceiling)}× as fast as `fit`"
    about = f"What bounds `{workload.name}`, each part timed alone in chunks of {last['width']} networks:"
    return f"{about}\n\n{markdown(head, body, head[1:])}\n{text}.\n"


def machine(record):
    """Return one sentence: what the record was measured on and with."""
    m, versions = record["machine"], record["versions"]
    names = {
        "python": "Python",
        "tensorflow": "TensorFlow",
        "keras": "Keras",
        "numpy": "NumPy",
        "jax": "JAX",
    }
    found = [f"{names.get(name, name)} {version}" for name, version in versions.items() if version]
    repeats = f"{record['repeats']} repeat{'s' * (record['repeats'] != 1)}"
    hardware = f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']:.0f} GiB, {m['os']}"
    again = "".join(f", {name} at {commit}" for name, commit in record.get("again", {}).items())
    made = f"commit {record['commit']}{again}"
    return f"Medians of {repeats}, range in brackets. {hardware}; {', '.join(found)}; {made}.\n"


def alt(found):
    """Return the growth figure's finding in words."""
    sizes, times = growth.curve(found, "members", "fit_many")
    widths, wide = growth.curve(found, "width", "fit_many")
    return (
        f"Two log-log panels. fit_many trains one network in {duration(times[0])} and {sizes[-1]:,} in "
        f"{duration(times[-1])}, where one plain fit after the other would take "
        f"{duration(sizes[-1] * found['fit']['seconds'])}. {found['width_members']} networks take {duration(wide[0])} "
        f"with hidden layers of {widths[0]} units and {duration(wide[-1])} with {widths[-1]}."
    )


def section(record):
    """Return all that stands between the page's markers: table, limit, figure, machine and versions."""
    shown = [
        name for name in HEAD if name != "target"
    ]  # targets are ours; readers get what was measured
    body = [[cell for name, cell in zip(HEAD, row) if name in shown] for row in rows(record)]
    parts = [markdown(shown, body, HEAD[2:5]) if body else ""]
    if not record["versions"].get("jax"):
        parts.append(HOW_JAX + "\n")
    parts.append(machine(record))
    parts.append(limit(record))
    if record.get("growth"):
        parts.append(f"![{alt(record['growth'])}](../results/bench/{growth.FIGURE})\n")
    return "\n".join(part for part in parts if part)


def renewed(page, record):
    """Return the page's text as it is and as it ought to be."""
    with open(page, encoding="utf-8", newline="") as file:  # its line ends as they are
        text = file.read()
    return text, files.renewed(text, page.name, BEGIN, END, section(record))


def update_page(page, record):
    """Write the section into the page, aside and renamed; return whether it changed."""
    old, new = renewed(page, record)
    if old != new:
        files.write(page, new)
    return old != new
