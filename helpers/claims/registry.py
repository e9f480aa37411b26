"""Registrations: TOML files in ``claims/``, read strictly into frozen dataclasses, and the seeds that follow from them.

Whatever could mislead is refused here, before anything is trained: an unknown key, a region without a reason, a
statistic that does not fit its region, an experiment that no file defines.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from helpers._base import checks, paths
from helpers.claims import _reading
from helpers.claims._reading import (
    NO_WORDING,
    Claim,
    Control,
    Experiment,
    Gate,
    Region,
    RegistrationError,
    Setting,
)

__all__ = [
    "Claim",
    "Control",
    "Experiment",
    "Gate",
    "Region",
    "RegistrationError",
    "Registry",
    "Setting",
    "changed",
    "load",
    "registration",
    "seed",
    "unguarded",
]

CONTROLS = "controls.toml"
MINE = "mine"  # claims/mine.toml: a reader's own registrations, ignored by git
SEED_BITS = 63


@dataclass(frozen=True)
class Registry:
    """All that is registered.

    Parameters
    ----------
    experiments : dict of str to Experiment
        By id.
    claims : dict of str to Claim
        By id, in the order of files and entries.
    controls : tuple of Control
        From ``controls.toml``.
    """

    experiments: dict[str, Experiment] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    controls: tuple[Control, ...] = ()

    def claims_on(self, experiment_id: str) -> tuple[Claim, ...]:
        """Return the claims that use an experiment (main, elsewhere or in a gate), withdrawn ones included, by id.

        A reader's own claims count on a reader's own experiments alone: they give no other one another seed.
        """
        own = self._experiment(experiment_id).lesson == MINE
        found = (
            c
            for c in self.claims.values()
            if experiment_id in c.experiments and (own or c.lesson != MINE)
        )
        return tuple(sorted(found, key=lambda claim: claim.id))

    def document(self, experiment_id: str) -> dict[str, Any]:
        """Return all that the seed of an experiment depends on, as plain JSON values.

        Function, recipe and n, and of each claim and control on it whatever can decide a verdict. Wordings
        (``statement``, ``reason``, ``known``, a gate's ``question``), plans (``quick``, ``n_check``, ``pilot_sd``), the
        lesson and the withdrawal stay out. A value equal to its default is left out, so that a new optional key
        changes no old seed.
        """
        one = self._experiment(experiment_id)
        controls = [c for c in self.controls if c.experiment == experiment_id]
        found = {
            "experiment": one.id,
            "function": one.function,
            "n": one.n,
            "recipe": plain(one.recipe),
            "claims": [testable(claim) for claim in self.claims_on(experiment_id)],
            "controls": sorted((testable(c) for c in controls), key=canonical),
        }
        return {key: value for key, value in found.items() if value not in ([], {})}

    def wording(self, experiment_id: str) -> dict[str, dict[str, str]]:
        """Return statement, reason and known of each claim on an experiment: what may be mended without a new seed."""
        return {
            claim.id: {
                "statement": claim.statement,
                "reason": claim.reason,
                "known": claim.known,
            }
            for claim in self.claims_on(experiment_id)
        }

    def arrays_named(self, experiment_id: str) -> dict[str, str]:
        """Return the arrays of an experiment that claims, gates and controls name, each with one entry that does."""
        found = {}
        for claim in self.claims_on(experiment_id):
            for setting in (*claim.main, *claim.elsewhere):
                for quantity in claim.quantities(setting):
                    own = [quantity, *quantity.gates] if setting.experiment else quantity.gates
                    for one in own:
                        if (one.experiment or setting.experiment) == experiment_id:
                            keys = ("values", "baseline", "first", "second")
                            found |= {getattr(one, key, ""): claim.id for key in keys}
                if setting.experiment == experiment_id:
                    found[claim.verified] = claim.id
        for control in self.controls:
            if control.experiment == experiment_id:
                names = (control.values, control.baseline, control.whole)
                found |= dict.fromkeys(names, f"a control of {control.claim}")
        return {name: entry for name, entry in sorted(found.items()) if name}

    def registration(self, experiment_id: str) -> str:
        """Return the SHA-256, in hex, of the canonical JSON of `document`."""
        return _sha256(canonical(self.document(experiment_id)))

    def seed(self, experiment_id: str, master: int = 0, profile: str = "full") -> int:
        """Return the experiment's seed, 63 bits, which follows from master seed, profile and registration."""
        master = checks.integer("master", master, low=0)
        checks.one_of("profile", profile, ("full", "quick"))
        text = canonical([master, profile, self.registration(experiment_id)])
        return int(_sha256(text), 16) >> (256 - SEED_BITS)

    def _experiment(self, experiment_id):
        if experiment_id not in self.experiments:
            known = ", ".join(sorted(self.experiments)) or "none"
            raise KeyError(f"No experiment {experiment_id!r} is registered. There are: {known}.")
        return self.experiments[experiment_id]


def load(folder: str | Path | None = None) -> Registry:
    """Read every registration of a folder.

    Parameters
    ----------
    folder : path or None
        Holds the TOML files; None takes the project's own ``claims``. Files of all lessons, ``mine.toml`` and
        ``controls.toml`` are read where they are present.

    Returns
    -------
    Registry
        Checked: what it holds can be run and judged.

    Raises
    ------
    RegistrationError
        Names file, entry, field, what was expected and received, and what to do.
    """
    folder = Path(folder) if folder is not None else paths.shipped("claims")
    tables = [(path.name, _toml(path)) for path in sorted(folder.glob("*.toml"))]
    for name, table in tables:
        _reading.sections(name, table, controls=name == CONTROLS)
    experiments = _unique(
        one for name, table in tables for one in _reading.experiments(name, table)
    )
    claims = _unique(
        one for name, table in tables for one in _reading.claims(name, table, experiments)
    )
    controls = tuple(
        one for name, table in tables for one in _reading.controls(name, table, experiments, claims)
    )
    return Registry(experiments, claims, controls)


def registration(experiment_id: str, registry: Registry | None = None) -> str:
    """Return `Registry.registration` of an experiment, by default of the project's own registry."""
    return (registry or load()).registration(experiment_id)


def seed(
    experiment_id: str, master: int = 0, profile: str = "full", registry: Registry | None = None
) -> int:
    """Return `Registry.seed` of an experiment, by default of the project's own registry."""
    return (registry or load()).seed(experiment_id, master, profile)


def changed(old: Any, new: Any, path: str = "") -> list[str]:
    """Return where two documents (or wordings) differ, each place with its old value.

    Examples
    --------
    >>> changed({"n": 40, "recipe": {"epochs": 200}}, {"n": 40, "recipe": {"epochs": 400}})
    ['recipe.epochs was 200']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted({*old, *new})
        return [x for k in keys for x in changed(old.get(k), new.get(k), f"{path}.{k}".lstrip("."))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [x for i, (a, b) in pairs for x in changed(a, b, f"{path}[{i}]")]
    return [] if old == new else [f"{path} was {json.dumps(old, ensure_ascii=False)}"]


def unguarded(registry: Registry) -> list[str]:
    """Return the ids of estimate claims that have no attainable gate in some main setting or part.

    Equivalences without one are refused at reading; for the others it is for whoever registers to say that nothing
    limits the effect.
    """
    return [
        claim.id
        for claim in registry.claims.values()
        if claim.kind == "estimate"
        and not all(
            any(gate.kind == "attainable" for gate in quantity.gates)
            for setting in claim.main
            for quantity in claim.quantities(setting)
        )
    ]


def testable(entry: Any) -> dict[str, Any]:
    """Return the fields of a claim or control that can decide a verdict, wordings and defaults left out."""
    pairs = ((f.name, getattr(entry, f.name)) for f in fields(entry) if f.name not in NO_WORDING)
    return {name: plain(value) for name, value in pairs if value not in (None, "", ())}


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: tuples as lists, dataclasses as objects, 1.0 as 1."""
    if is_dataclass(value):
        return testable(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, numbers as `plain` writes them."""
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _toml(path):
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistrationError(
            path.name, "(the file)", "(all)", "TOML", str(error), "Mend the line that it names."
        ) from error


def _unique(entries: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Return entries by id; an id that two of them have is refused."""
    found: dict[str, tuple[str, Any]] = {}
    for file, entry in entries:
        if entry.id in found:
            where = f"one entry only; {found[entry.id][0]} has it too"
            raise RegistrationError(
                file, entry.id, "id", where, entry.id, "Give this one another id."
            )
        found[entry.id] = (file, entry)
    return {key: entry for key, (_, entry) in found.items()}
