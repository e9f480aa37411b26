"""The ledger: claims registered before their data exist, recorded, judged and written.

A `Claim` says where a quantity must lie for a statement to hold. `Ledger.record` turns replicates into an interval and
`verdict` compares the two. A record is a plain dict that survives JSON unchanged; `card` and `table` (in `_report`)
show records and never compute.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import re
from collections.abc import Mapping

from helpers import stats
from helpers._base import checks, files, paths
from helpers._first_edition._claim import (
    REPLICATES,
    Band,
    Claim,
    Direction,
    Verdict,
    asserted,
    combine,
    verdict,
)
from helpers._first_edition._evidence import clears, judge, measure
from helpers._first_edition._report import (
    Card,
    brief,
    card,
    citations,
    format_interval,
    format_number,
    load,
    missing_citations,
    table,
)

__all__ = [
    "REPLICATES",
    "Band",
    "Card",
    "Claim",
    "Direction",
    "Ledger",
    "Verdict",
    "brief",
    "card",
    "citations",
    "format_interval",
    "format_number",
    "load",
    "missing_citations",
    "table",
    "verdict",
    "versions",
]

RESULTS = (
    paths.checkout() or paths.cache()
) / "results"  # written by the full profile with seed 0 only


class Ledger:
    """The claims of one notebook.

    Parameters
    ----------
    notebook : str
        For example ``"01_overfitting"``: names the file.
    profile : {"full", "quick", "stability"}
        In "quick", estimates are stored, verdicts read ``quick``, and fewer replicates than planned are fine; they are
        in "stability" too.
    folder : path
        Where `save` writes; under ``results/`` only for the full profile with seed 0.
    seed : int
        The experiment's seed.
    """

    def __init__(self, notebook, profile, folder, seed=0):
        if not isinstance(notebook, str) or not re.fullmatch(r"\w[\w-]{0,99}", notebook):
            raise ValueError(
                checks.message("notebook", "a file name without folder and ending", notebook)
            )
        self.notebook, self.profile = (
            notebook,
            checks.one_of("profile", profile, ("full", "quick", "stability")),
        )
        self.folder, self.seed = (
            checks.folder("folder", folder),
            checks.integer("seed", seed, low=0),
        )
        if (profile, self.seed) != ("full", 0) and self.folder.resolve().is_relative_to(
            RESULTS.resolve()
        ):
            text = f"Profile {profile!r} with seed {self.seed} never writes into results/."
            raise ValueError(
                f"{text} Received: folder={str(folder)!r}. Use build/{profile}-{self.seed}/claims."
            )
        self._claims, self._records = {}, {}

    @property
    def records(self):
        """The records so far, in the order of registration (list of dict)."""
        return [self._records[id] for id in self._claims if id in self._records]

    def register(self, *claims):
        """Register claims, before their data exist.

        Parameters
        ----------
        *claims : Claim
            An id may be registered once.
        """
        for claim in claims:
            if not isinstance(claim, Claim):
                raise TypeError(checks.message("claim", "a Claim", claim))
            if claim.id in self._claims:
                raise ValueError(
                    f"Claim {claim.id} is registered already. Ids are unique: choose another name."
                )
            self._claims[claim.id] = claim

    def _open(self, id, kind):
        if not isinstance(id, str):
            raise TypeError(checks.message("id", "the id of a registered claim", id))
        if id not in self._claims:
            known = ", ".join(self._claims) or "none"
            raise ValueError(
                f"Claim {id!r} is not registered. Register it before its data exist. Registered: {known}."
            )
        if id in self._records:
            raise ValueError(
                f"Claim {id} is recorded already. A claim is recorded once: give the other numbers an id."
            )
        if self._claims[id].kind != kind:
            right = "record_exact" if kind == "estimate" else "record"
            raise ValueError(f"Claim {id} has kind {self._claims[id].kind!r}: use `{right}`.")
        return self._claims[id]

    def record(self, id, values, baseline=None, groups=None, diverged=None, baseline_diverged=None):
        """Measure a registered claim and judge it.

        Parameters
        ----------
        id : str
            Registered, not recorded yet.
        values : array_like (n,)
            One value per replicate; 0/1 or bool for proportions. Where the claim has `settings`, this and every other
            argument is a dict from setting to array, the base setting first; its interval heads the record.
        baseline : array_like (n,), optional
            The other arm, paired by row (for a difference of proportions an independent arm of any length).
        groups : array_like (n,), optional
            Data set of each run: runs are averaged by data set first, and n counts data sets.
        diverged, baseline_diverged : array_like of bool (n,), optional
            True where a network diverged and its value is already the trivial predictor's.

        Returns
        -------
        dict
            The record, ready for JSON (an open end of a band is None).

        Raises
        ------
        TypeError, ValueError
            For an id unknown or recorded, NaN or values beyond 1e100, lengths that differ, or fewer units than
            planned in the full profile.

        Notes
        -----
        `one_run_agrees` is the share of single runs (before averaging by `groups`) whose own value lies in the region:
        what a reader with one run would have concluded. It is None where one run cannot tell. `share_with_sign` is the
        share of replicates strictly on the asserted side of the null value. With `settings`, intervals hold
        simultaneously (Bonferroni).
        """
        claim = self._open(id, "estimate")
        inputs = {"values": values, "baseline": baseline, "groups": groups, "diverged": diverged}
        inputs["baseline_diverged"] = baseline_diverged
        if claim.settings is None:
            parts = {None: self._part(claim, stats.LEVEL, inputs)}
        else:
            for name, given in inputs.items():
                if not isinstance(given, Mapping) and (given is not None or name == "values"):
                    raise TypeError(
                        checks.message(name, f"a dict from setting to array (claim {id})", given)
                    )
            for name, given in inputs.items():
                if given is not None and list(given) != list(values):
                    raise ValueError(
                        checks.message(
                            name, f"a dict with the settings {list(values)}", list(given)
                        )
                    )
            if not values or len({str(key) for key in values}) < len(values):
                text = "a dict of at least one setting, no two of them written alike"
                raise ValueError(checks.message("values", text, values))
            level = 1 - (1 - stats.LEVEL) / len(values)
            parts = {
                str(key): self._part(
                    claim, level, {name: (given or {}).get(key) for name, given in inputs.items()}
                )
                for key in values
            }
        head = next(iter(parts.values()))
        record = self._describe(claim) | head
        if claim.settings is not None:
            verdicts = [part["verdict"] for part in parts.values()]
            holds = f"holds in {verdicts.count('supported')} of {len(parts)} settings"
            record |= {
                "level": stats.LEVEL,
                "method": head["method"] + f", simultaneous over {len(parts)} settings",
            }
            record |= {"verdict": combine(verdicts, claim.settings), "detail": holds}
            record["settings"] = [{"name": key} | part for key, part in parts.items()]
        return self._keep(record)

    def _part(self, claim, level, inputs):
        """Return the fields of one setting, judged."""
        fields, found = measure(claim, level, **inputs)
        counts = [fields["n"]] + ([] if fields["n_baseline"] is None else [fields["n_baseline"]])
        if self.profile == "full" and min(counts) < claim.n:
            text = f"Claim {claim.id} was planned with n = {claim.n} independent units. Received: {min(counts)}."
            raise ValueError(
                text
                + " Run them all, or change the registered n and say so in results/deviations.md."
            )
        result = judge(claim, fields, found)
        return fields | {"verdict": result.verdict, "detail": result.detail}

    def record_exact(self, id, holds, value=None):
        """Record a claim of kind "exact".

        Parameters
        ----------
        id : str
            Registered with ``kind="exact"``.
        holds : bool
            Whether the fact or identity was found to hold.
        value : float, optional
            A number to show, in the claim's unit.

        Returns
        -------
        dict
            The record; interval and n are None.
        """
        claim, holds = self._open(id, "exact"), checks.flag("holds", holds)
        value = None if value is None else checks.real("value", value)
        empty = (
            "ci_low",
            "ci_high",
            "level",
            "n",
            "n_baseline",
            "runs",
            "estimate_without_diverged",
            "one_run_agrees",
        )
        record = self._describe(claim) | {"estimate": value, "diverged": 0, "method": "exact"}
        record |= dict.fromkeys((*empty, "share_with_sign", "share_ci_low", "share_ci_high"))
        return self._keep(
            record | {"verdict": "supported" if holds else "contradicted", "detail": "exact"}
        )

    def _describe(self, claim):
        """Return the registered fields of a record."""
        low, high = (-math.inf, math.inf) if claim.region is None else claim.ends()
        names = (
            "id",
            "source",
            "role",
            "kind",
            "words",
            "statement",
            "quantity",
            "unit",
            "statistic",
            "reason",
        )
        names += ("replicates_over", "recipe", "share_at_least")
        return {name: getattr(claim, name) for name in names} | {
            "planned_n": claim.n,
            "smallest_effect": None
            if claim.smallest_effect is None
            else float(claim.smallest_effect),
            "asserted": asserted(low, high) if claim.region else "exact",
            "direction": claim.region.asserts if isinstance(claim.region, Direction) else None,
            "region_low": low if math.isfinite(low) else None,
            "region_high": high if math.isfinite(high) else None,
            "settings_rule": claim.settings,
            "settings": None,
            "profile": self.profile,
            "notebook": self.notebook,
        }

    def _keep(self, record):
        claim = self._claims[record["id"]]
        record["clears"] = self._clear(claim, record)
        if self.profile == "quick":
            for part in (record, *(record["settings"] or ())):
                part |= {"verdict": "quick", "detail": ""}
            record["clears"] = False
        self._records[claim.id] = record
        return record

    @staticmethod
    def _clear(claim, record):
        """Return whether the verdict is far enough from its edge to be the same on another machine."""
        if claim.kind == "exact":
            return True
        if record["verdict"] == "inconclusive":
            return False
        if claim.settings is None:
            return clears(claim, record)
        decided = [
            p["verdict"] == record["verdict"] and clears(claim, p) for p in record["settings"]
        ]
        one_is_enough = claim.settings == "all" and record["verdict"] == "contradicted"
        return any(decided) if one_is_enough else all(decided)

    def check_lines(self):
        """Return what nbval's check cell prints: id, n, and the verdict only where it cannot flip by rounding.

        Returns
        -------
        list of str
            One line per record. The verdict appears if the interval clears its deciding edge by half its width.
        """
        lines = []
        for record in self.records:
            n, planned = record["n"], record["planned_n"]
            count = (
                "" if n is None else f" n={n}" if n <= planned else f" n>={planned}"
            )  # n may depend on last bits
            lines.append(
                record["id"] + count + (f" {record['verdict']}" if record["clears"] else "")
            )
        return lines

    def save(self):
        """Write ``folder/NOTEBOOK.json`` aside and rename it.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            In the full profile, where a registered claim was never recorded.
        """
        missing = [id for id in self._claims if id not in self._records]
        if missing and self.profile == "full":
            raise ValueError(
                f"Registered claims must be recorded. Received: nothing for {', '.join(missing)}."
            )
        content = {
            "schema": 1, "notebook": self.notebook, "profile": self.profile, "seed": self.seed,
            "versions": versions(), "claims": self.records,
        }  # fmt: skip
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.notebook}.json"
        files.write(path, text)
        return path


def versions(*more):
    """Return the versions that a result depends on: dict of str, None where not installed; ``more`` are packages."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name, packages in (
        ("numpy", ["numpy"]),
        ("scipy", ["scipy"]),
        ("tensorflow", ["tensorflow-cpu", "tensorflow"]),
        ("keras", ["keras"]),
        *((name, [name]) for name in more),
    ):
        found[name] = None
        for package in packages:
            try:
                found[name] = importlib.metadata.version(package)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found
