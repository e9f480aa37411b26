"""``python -m helpers.experiments``: train what is due, judge, publish; or check what is published."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

from helpers._base import files, paths
from helpers.claims import registry
from helpers.engine import cluster, resume
from helpers.experiments import judge, pilot, run, stability, store
from helpers.experiments.store import COMMITTED, Place

BUSY = "Process {process} trains in this folder already. Wait for it, or use another clone."
MINUTES = 8  # for the first rows, unless said otherwise


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, do what it says, return the exit status."""
    parser = argparse.ArgumentParser("python -m helpers.experiments", description=__doc__)
    parser.add_argument(
        "only", nargs="*", help="beginnings of lessons or experiments (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0, help="master seed; 0 is the published one")
    parser.add_argument(
        "--scale",
        type=float,
        help=f"share of the registered replicates (default: 1; {stability.SCALE} with --stability)",
    )
    parser.add_argument("--profile", choices=("full", "quick"), default="full")
    parser.add_argument("--fresh", action="store_true", help="train all of them again")
    parser.add_argument(
        "--confirm", action="store_true", help="also those that other code or versions made"
    )
    parser.add_argument(
        "--status", action="store_true", help="list the experiments and train nothing"
    )
    parser.add_argument(
        "--check", action="store_true", help="judge again and compare with what is published"
    )
    parser.add_argument(
        "--stability", type=int, nargs="+", help="train under these master seeds, write the table"
    )
    parser.add_argument(
        "--rows", action="store_true", help="train the first rows again and compare"
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"time for --rows (default: {MINUTES})"
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="train on the workers of this scheduler (or scheduler file)",
    )
    options = parser.parse_args(arguments)
    if (options.scale is not None and not 0 < options.scale <= 1) or options.seed < 0:
        parser.error("--scale must be above 0 and at most 1, --seed 0 or more")
    if not options.minutes > 0:
        parser.error("--minutes must be above 0")
    if options.stability and min(options.stability) < 1:
        parser.error("--stability takes master seeds of 1 and more: 0 is the published one")
    if options.dask and (options.status or options.check or options.rows):
        parser.error("--dask trains elsewhere; leave it out with --status, --check and --rows")
    known = registry.load()
    place = Place(options.profile, options.seed, options.scale or 1.0)
    if options.status:
        return _status(known, place, options.only)
    if options.check:
        return _check(known)
    if options.rows:
        return _rows(known, options.only, options.minutes)
    try:
        with files.alone(paths.build() / "experiments.lock", BUSY):
            return _train(known, place, options)
    except BlockingIOError as error:
        _say(str(error))
        return 1


def _train(known, place, options):
    """Train what is due, and publish where the committed store was trained."""
    if options.stability:
        with _resumable(), _trained_by(options.dask):
            return _stability(known, options, options.scale or stability.SCALE)
    started = time.monotonic()
    publishes = place == COMMITTED and paths.checkout() is not None
    if publishes:
        for path in _uncommitted(paths.checkout()):
            _say(f"{path} is not committed. Commit what is registered before its data are drawn.")
    with _resumable(), _trained_by(options.dask):
        done = run.train_due(
            known, place, options.only, options.fresh, options.confirm, _say,
            stored=(lambda id: judge.enter(id, known)) if publishes else None,
        )  # fmt: skip
    if publishes:
        for path in judge.publish(known):
            _say(f"written: {path}")
    else:
        for line in pilot.lines(known, place, [one.id for one in done]):
            _say(line)
    homes = {run.home(known.experiments[one.id], place).folder for one in done} or {place.folder}
    kept = " and ".join(map(str, sorted(homes)))
    _say(f"{len(done)} trained in {run.minutes(time.monotonic() - started)}; kept in {kept}")
    late = [one for one, state in run.status(known, place, options.only) if state == "unconfirmed"]
    if late:
        text = "made by other code or versions, and not trained again: CONFIRM=1 does"
        _say(f"{len(late)} of {len(run.chosen(options.only, known))} {text}, STATUS=1 lists them")
    return 0


def _uncommitted(root):
    """Return the registrations that git does not hold as they are; none where there is no git."""
    command = ["git", "-C", str(root), "status", "--porcelain", "--", "claims"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line[3:].strip('"') for line in said.stdout.decode("utf-8").splitlines()]


@contextlib.contextmanager
def _trained_by(address):
    """Train on the workers of a dask cluster, where an address is given; see `helpers.cluster`."""
    if not address:
        yield
        return
    with cluster.cluster(address) as elsewhere:
        _say(f"workers at {address}: {len(elsewhere.client.nthreads())}")
        yield


@contextlib.contextmanager
def _resumable():
    """Keep finished chunks of what is trained, so that a killed run goes on; a finished one leaves none."""
    folder = paths.build() / "chunks"
    before = os.environ.setdefault(resume.VARIABLE, str(folder))
    yield
    if before == str(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _say(text):
    print(text, flush=True)


def _status(known, place, only):
    entries = store.index(place) | store.index(replace(place, own=True))
    for experiment, state in run.status(known, place, only):
        took = (
            f"{run.minutes(entries[experiment.id].seconds)}"
            if experiment.id in entries
            else "never trained"
        )
        _say(f"{state:12} {experiment.id:48} n = {run.rows_of(experiment, place):5}  {took}")
    return 0


def _stability(known, options, scale):
    """Train everything under other master seeds, one after the other, and write what every claim says there."""
    seeds = sorted(set(options.stability))
    stability.train(known, seeds, scale, options.only, _say)
    found = stability.table(known, seeds, scale)
    path = COMMITTED.folder.parent / "stability.csv"
    files.write(path, found.to_csv(index=False, lineterminator="\n"))
    for changed in judge.publish(known) if paths.checkout() else ():
        _say(f"written: {changed}")
    same = (found["published"] == found["pooled"]).sum()
    _say(f"{len(found)} claims, {same} with the published verdict; written: {path}")
    return 0


def _check(known):
    lines = judge.differences(known)
    for line in lines:
        _say(line)
    broken = judge.failed_controls(judge.records(known).values())
    for control in broken:
        _say(f"control of {control.claim} ({control.kind}) failed: {control.answer}")
    known_failed = [control for control in broken if control.kind == "known"]
    _say(
        f"{len(known.claims)} claims judged again: {'as published' if not lines else f'{len(lines)} differences'}"
    )
    return int(bool(lines or known_failed))


def _rows(known, only, minutes):
    """Train the first rows of each experiment again within so many minutes, and compare them.

    The quickest experiment of every function comes first, then the others, quickest first; those that there is no time
    for are listed. An experiment that is not stored as registered fails the check.
    """
    started, failed, late, kept = time.monotonic(), [], [], store.index()
    due = [e for e in run.chosen(only, known) if e.n_check and e.lesson != registry.MINE]
    missing = [e for e in due if not run.held(e, known)]
    failed += [f"{e.id}: not stored as registered" for e in missing]
    for experiment in in_turn([e for e in due if e not in missing], kept):
        if time.monotonic() - started > 60 * minutes:
            late.append(experiment.id)
            continue
        stored = store.read(experiment.id, known.registration(experiment.id))
        failed += map(str, run.first_rows(experiment, known, stored, kept[experiment.id]))
        _say(f"{experiment.id}: first {experiment.n_check} of {experiment.n} rows trained again")
    if late:
        _say(f"not trained again, {minutes:g} minutes are over: {', '.join(late)}")
    for text in failed:
        _say(text)
    return int(bool(failed))


def in_turn(experiments, kept):
    """Return experiments in the order of the check: the quickest of every function, then the rest, quickest first."""
    by_cost = sorted(experiments, key=lambda e: kept[e.id].seconds * e.n_check / e.n)
    first = {e.function: e.id for e in reversed(by_cost)}.values()
    return sorted(by_cost, key=lambda e: e.id not in first)


if __name__ == "__main__":
    sys.exit(main())
