"""Measure every claim again under other master seeds; `make stability` calls this.

Of each notebook only the statements run that its claims rest on (see `claim_cells`), with fewer replicates
where they are expensive. Each seed makes one file, `results/stability/seed-01.json` and so on. What is finished is not
run again unless a notebook, the helpers, the data or the versions have changed; an interrupted call goes on where it
stopped. `--report` runs nothing and only writes the summary, `results/stability/README.md`, and README's table of
claims.
"""

import argparse
import ast
import hashlib
import json
import os
import pathlib
import sys

import nbformat
from claim_cells import needed
from notebook_files import Plan, find, write
from run_notebooks import prepare, run_all

SEEDS = range(1, 11)
# By the constant that a notebook keeps them in: replicates in place of the full profile's, and of sweeps the part
# that claims rest on. Numbers suit the chunks in which two cores train; ten seeds make up for them.
FEWER = {
    "01_overfitting": {
        "COUNT": 100, "CONTINUED": 8, "THOUSAND": 250, "ON": 60, "FORTY": 10, "SOME": 50, "DEEP": 6, "TWENTY": 8,
    },
    "02_regularization": {"COUNT": 40, "FEW": 8},
    "03_batch_normalization": {"THOUSAND": 250, "HUNDRED": 40, "MANY": 40, "TWENTY": 8},
    "04_flat_and_sharp_minima": {"HUNDRED": 20, "RUNS": 60, "SOME": 10, "SETS": 10, "FIFTY": 20, "TASKS": 10},
    "05_lottery_tickets": {
        "RUNS": 1000, "TWO_FOUR": 500, "SIXTEEN": 100, "FEW": 500, "THOUSAND": 250, "EACH": 100, "SOME": 500,
        "STUCK": 50, "TRIALS": 8, "PART": 8, "LEVELS": (7,), "ROUNDS": 7, "MARKS": (7,),
    },
}  # fmt: skip


def thinned(source, constants):
    """Return the source with a second assignment right after that of each of the constants."""
    lines, after = source.splitlines(), {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            names = {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            for name in sorted(names & constants.keys()):
                after.setdefault(node.end_lineno, []).append(f"{name} = {constants[name]!r}")
    for line in sorted(after, reverse=True):
        lines[line:line] = after[line]
    return "\n".join(lines)


def reduced(path):
    """Return the notebook at `path` cut down to what its claims need, thinned, without outputs."""
    notebook = nbformat.read(path, as_version=4)
    sources, constants = needed(notebook.cells), FEWER.get(path.stem, {})
    for i, source in sources.items():
        cell = notebook.cells[i]
        cell.source, cell.outputs, cell.execution_count = thinned(source, constants), [], None
    notebook.cells = [notebook.cells[i] for i in sources]
    return notebook


def digest(paths, plan):
    """Hash all that one seed's file depends on, wherever the checkout is."""
    return hashlib.sha256("".join(plan.made_from(path) for path in paths).encode()).hexdigest()


def collected(paths, plan, key):
    """Return the content of one seed's file, from the ledgers that its notebooks wrote."""
    ledgers = [json.loads(plan.targets(path.stem)[1].read_text(encoding="utf-8")) for path in paths]
    content = {"schema": 1, "seed": plan.seed, "key": key, "versions": ledgers[0]["versions"]}
    content["claims"] = [record for ledger in ledgers for record in ledger["claims"]]
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def run_seed(seed, root, sources):
    """Make the file of one seed, where it is not there already; return the exit status."""
    plan = Plan(root, "stability", seed, root / "build" / "stability" / f"seed-{seed:02d}")
    paths, target = find(sources, []), root / "results" / "stability" / f"seed-{seed:02d}.json"
    key = digest(paths, plan)
    if target.exists() and json.loads(target.read_bytes()).get("key") == key:
        print(f"seed {seed}: done before", flush=True)
        return 0
    print(f"seed {seed}", flush=True)
    status = run_all(paths, plan)
    if not status:
        write(target, collected(paths, plan, key))
    return status


def page(folder, records):
    """Return a Markdown page on all claims under other master seeds, beside the committed run.

    Below a summary, one row per claim and setting: estimates by seed, pooled and committed estimate with interval,
    both verdicts, and the ratio of `_pooled.pooled`, in bold where it lies outside `_pooled.honest_range`.
    """
    from helpers import _pooled, claims

    found = _pooled.load(folder)
    known = [record for record in records if record["id"] in found]
    if not known:
        few = f"Fewer than {_pooled.FEWEST} seeds have been measured: nothing is pooled yet. Run `make stability`."
        return f"# Other master seeds\n\n{few}\n"

    def interval(part):
        return claims.format_interval(part["estimate"], part["ci_low"], part["ci_high"])

    rows, outside, ratios = [], 0, 0
    for record in known:
        pool, committed = found[record["id"]], _pooled.parts(record)
        low, high = _pooled.honest_range(pool["seeds"])
        for name, part in pool["settings"].items():
            dishonest = part["ratio"] is not None and not low <= part["ratio"] <= high
            ratios, outside = ratios + (part["ratio"] is not None), outside + dishonest
            ratio = "–" if part["ratio"] is None else f"{part['ratio']:.2f}"
            now = committed.get(name)
            cells = (f"`{record['id']}`" + (f": {name}" if name else ""),)
            cells += (", ".join(map(claims.format_number, part["estimates"])), interval(part))
            cells += (interval(now), now["verdict"]) if now else ("–", "–")
            cells += (part["verdict"], f"**{ratio}**" if dishonest else ratio)
            rows.append("| " + " | ".join(cells) + " |")
    seeds = max(pool["seeds"] for pool in found.values())
    low, high = _pooled.honest_range(seeds)
    differ = sum(found[record["id"]]["verdict"] != record["verdict"] for record in known)
    text = (
        f"Every claim measured again under {seeds} other master seeds (`make stability`), with fewer replicates where "
        "they are expensive. *Pooled*: mean over the seeds with its 99 % interval by Student t (simultaneous over a "
        "claim's settings). *Ratio*: standard deviation of the estimates over the standard error that the single "
        f"intervals claim; with {seeds} seeds and honest intervals it lies between {low:.2f} and {high:.2f} in 99 of "
        f"100 cases. {outside} of {ratios} lie outside (bold), where chance alone would put about {ratios / 100:.0f}. "
        f"The joint verdict differs from the committed run's for {differ} of {len(known)} claims. "
        "[causes.md](causes.md) says why ratios lie outside."
    )
    head = ["| claim: setting | estimates by seed | pooled | committed | committed verdict | pooled verdict | ratio |"]
    head.append("| --- | --- | --- | --- | --- | --- | ---: |")
    return "\n".join(["# Other master seeds\n", f"{text}\n", *head, *rows]) + "\n"


def main(argv=None):
    """Parse the command line, run the seeds, write the summary, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, help=f"master seeds (default: {SEEDS[0]} to {SEEDS[-1]})")
    parser.add_argument("--report", action="store_true", help="run nothing, only write the summary and README's table")
    parser.add_argument("--parent", type=int, default=0, help="end when this process ends; make gives its own")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    args = parser.parse_args(argv)
    root = args.root.resolve()
    if min(args.seeds, default=1) < 1:
        parser.error(f"seeds must be 1 or larger: 0 is the committed run. Received: {min(args.seeds)}")
    status = 0
    if not args.report:
        sources = root / "build" / "stability"
        for path in find(root, []):
            write(sources / "notebooks" / path.name, nbformat.writes(reduced(path)).encode())
        prepare(root / "build", args.parent)
        for seed in args.seeds or SEEDS:
            status = run_seed(seed, root, sources)
            if status:
                return status
    os.chdir(root)
    from helpers import claims

    folder, committed = root / "results" / "stability", root / "results" / "claims"
    write(folder / "README.md", page(folder, claims.load(committed)).encode())
    claims.update_readme(root / "README.md", committed)
    return status


if __name__ == "__main__":
    sys.exit(main())
