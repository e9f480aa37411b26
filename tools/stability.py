"""Measure every claim again under other master seeds; `make stability` calls this.

Of each notebook only the statements run that its claims rest on (see `claim_cells`), with fewer replicates
where they are expensive. Each seed makes one file, `results/stability/seed-01.json` and so on. What is finished is not
run again unless a notebook, the helpers, the data or the versions have changed; an interrupted call goes on where it
stopped. `--report` runs nothing and only writes the summary, `results/stability/README.md`, and README's table of claims.
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
        "STUCK": 50, "TRIALS": 8, "CHOOSERS": 4, "LEVELS": (7,), "ROUNDS": 7, "MARKS": (7,),
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


def main(argv=None):
    """Parse the command line, run the seeds, write the summary, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, help=f"master seeds (default: {SEEDS[0]} to {SEEDS[-1]})")
    parser.add_argument("--report", action="store_true", help="only write the summary of what is there, and README's table")
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
    from helpers import _pooled, claims

    folder, committed = root / "results" / "stability", root / "results" / "claims"
    write(folder / "README.md", _pooled.report(folder, claims.load(committed)).encode())
    claims.update_readme(root / "README.md", committed)
    return status


if __name__ == "__main__":
    sys.exit(main())
