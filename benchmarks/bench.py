"""Time every contender on every workload, each in a process of its own, in turn; write table, JSON and figure.

    python benchmarks/bench.py [--only NAME ...] [--contenders NAME ...] [--repeats 3] [--quick] [--out DIR] [--update]

A complete run writes ``results/bench/`` and the table of ``benchmarks/README.md``; one with any option but
``--repeats`` writes ``build/bench/`` or the given folder, and never that page. ``--only NAME --update`` replaces single
parts of the committed record, on the same machine with the same versions, and says so on the page.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import report
import workloads

from helpers._base import files

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
TIMED = ("python", "numpy", "tensorflow", "keras", "jax", "jaxlib", "optax")
PARTS = (*(workload.name for workload in workloads.WORKLOADS), "limit", "growth")


def versions():
    """Return the versions of Python and of the packages that are timed; None where one is not installed."""
    found = {"python": platform.python_version()}
    for name in TIMED[1:]:
        found[name] = None
        for package in (f"{name}-cpu", name):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(package)
    return found


def machine():
    """Return what the benchmark runs on (dict)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform(terse=True)
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return {
        "cpu": cpu,
        "cores": cores,
        "memory_gib": round(memory, 1),
        "os": system,
        "load_before": os.getloadavg()[0],
    }


def commit():
    """Return the commit that is timed, with "+changes" where the code differs from it, or "unknown"."""

    def git(*arguments):
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()

    try:
        changed = git("status", "--short", "helpers", "benchmarks")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def call(script, *arguments):
    """Run a script of this folder in a process of its own and return what its last line of JSON says."""
    command = [sys.executable, "-W", "ignore", HERE / script, *map(str, arguments), "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    if result.returncode:
        raise SystemExit(
            f"{script} {' '.join(map(str, arguments))} failed:\n{result.stderr[-3000:]}"
        )
    return json.loads(result.stdout.splitlines()[-1])


def say(text):
    """Print a line at once."""
    print(text, flush=True)


def time_workload(workload, contenders, repeats, flags):
    """Return {contender: [result of every repeat]}, one repeat of all contenders after the other."""
    found = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name in contenders:
            result = call("contenders.py", name, workload.name, "--seed", repeat, *flags)
            found[name].append(result)
            each = report.duration(result["seconds"] / result["networks"])
            say(
                f"{workload.name}, repeat {repeat + 1}, {name}: {each} per network, {result['networks']:,} networks"
            )
    return found


def time_growth(jax, flags, workload):
    """Return the curves of the growth figure: {panel: {contender: [result]}}, and one plain fit."""
    found = {
        "epochs": workload.epochs,
        "width_members": min(workload.members, workloads.GROWTH_WIDTH_MEMBERS),
    }
    for panel in ("members", "width"):
        found[panel] = {}
        for name in ("fit_many", *(["jax-vmap"] if jax else [])):
            say(f"growth with {panel}, {name}")
            found[panel][name] = call(
                "contenders.py", name, workload.name, "--sweep", panel, *flags
            )
    found["fit"] = call("contenders.py", "fit", workload.name, *flags)
    return found


def time_limit(flags):
    """Return what bounds ours, on one core where the system can tie a process to it, and on all."""
    one = [["--cores", 1]] if hasattr(os, "sched_setaffinity") else []
    say("limit")
    return [call("limits.py", *cores, *flags) for cores in (*one, [])]


def measure(names, contenders, repeats, quick):
    """Return the record of a benchmark (dict, ready for JSON)."""
    flags = ["--quick"] if quick else []
    jax = all(importlib.util.find_spec(name) for name in ("jax", "optax"))
    record = {
        "schema": 1,
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "quick": quick,
        "repeats": repeats,
        "machine": machine(),
        "versions": versions(),
        "workloads": {},
    }
    if not jax:
        record["versions"]["jax"] = None
        say(report.HOW_JAX)
    for workload in workloads.WORKLOADS:
        able = [name for name in workload.contenders if jax or name not in workloads.JAX]
        chosen = [
            name
            for name in able
            if not contenders or name in (*contenders, workload.contenders[-1])
        ]
        if workload.name in names:
            record["workloads"][workload.name] = time_workload(workload, chosen, repeats, flags)
    if "limit" in names:
        record["limit"] = time_limit(flags)
    if "growth" in names:
        record["growth"] = time_growth(jax, flags, workloads.find("growth", quick))
    return record


def merged(old, new):
    """Return a record in which the parts of ``new`` replace those of ``old``, measured on the same machine.

    Raises
    ------
    ValueError
        Where processor, cores or versions differ: their times cannot stand in one table.
    """
    for key, names in (("machine", ("cpu", "cores")), ("versions", tuple(old["versions"]))):
        for name in names:
            if old[key][name] != new[key].get(name):
                text = f"The record was made with {name} {old[key][name]}, this run with {new[key].get(name)}"
                raise ValueError(f"{text}: run the whole benchmark again.")
    parts = {name: new[name] for name in ("limit", "growth") if name in new}
    again = dict.fromkeys((*new["workloads"], *parts), new["commit"])
    found = {
        "workloads": old["workloads"] | new["workloads"],
        "again": old.get("again", {}) | again,
    }
    return old | parts | found


def write(record, folder):
    """Write ``bench.json`` and, where it was measured, the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / "bench.json", json.dumps(record, indent=1) + "\n")
    if "growth" in record:
        import growth

        growth.figure(record["growth"]).savefig(folder / growth.FIGURE, metadata={"Software": None})


def main(arguments=None):
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these, and ours")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="three networks, two epochs, one repeat"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for JSON and figure; leaves benchmarks/README.md alone"
    )
    parser.add_argument(
        "--update", action="store_true", help="put what --only measures into the committed record"
    )
    options = parser.parse_args(arguments)
    names = options.only or PARTS
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(
            f"argument --only: must be some of {', '.join(PARTS)}. Received: {', '.join(unknown)}"
        )
    if options.repeats < 1:
        parser.error(f"argument --repeats: must be at least 1. Received: {options.repeats}")
    if options.update and (not options.only or options.contenders or options.quick or options.out):
        parser.error(
            "argument --update: goes with --only and nothing else that leaves something out"
        )
    partial = bool(options.only or options.contenders or options.quick) and not options.update
    folder = options.out or ROOT / ("build" if partial else "results") / "bench"
    remedy = "Make it yours, or write elsewhere with --out DIR."
    for place in {folder, *(() if partial or options.out else (HERE,))}:
        try:
            files.require_writable(place, remedy)
        except PermissionError as error:
            raise SystemExit(str(error)) from None
    record = measure(
        names, options.contenders, 1 if options.quick else options.repeats, options.quick
    )
    if options.update:
        record = merged(json.loads((folder / "bench.json").read_text(encoding="utf-8")), record)
    write(record, folder)
    say("\n" + report.section(record))
    if not partial and options.out is None:
        report.update_page(ROOT / "benchmarks" / "README.md", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
