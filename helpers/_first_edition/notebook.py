"""One call at the top of each notebook: profile, quiet logs, style, versions, ledger."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from IPython.display import Markdown, display

from helpers import _tensorflow, plots
from helpers._base import checks, paths
from helpers._first_edition import claims

PROFILES = ("full", "quick", "stability")


@dataclass(frozen=True)
class Session:
    """What a notebook was started with.

    Attributes
    ----------
    name : str
        For example "01_overfitting".
    profile : {"full", "quick", "stability"}
        "full" gives the committed figures and verdicts; "quick" shows in seconds that everything runs; "stability" is
        full with fewer replicates than planned, for `make stability`.
    seed : int
        0 for the committed results; 1,000 and above for development.
    ledger : claims.Ledger
        Writes ``claims/NAME.json`` under the output folder.
    """

    name: str
    profile: str
    seed: int
    ledger: claims.Ledger

    def pick(self, full, quick):
        """Return ``quick`` in the quick profile, ``full`` in any other."""
        return quick if self.profile == "quick" else full

    def seeds(self, count, offset=0):
        """Return ``count`` data seeds, different for every session seed and offset.

        Parameters
        ----------
        count : int
            How many.
        offset : int
            Tells the experiments of one notebook apart, below 100.
        """
        first = (self.seed * 100 + checks.integer("offset", offset, low=0, high=99)) * 100_000
        return range(first, first + checks.integer("count", count, high=100_000))


def say(text):
    """Display computed prose: numbers in a notebook's text come from results and never from a keyboard.

    Parameters
    ----------
    text : str
        Markdown, usually an f-string.
    """
    display(Markdown(text))


def start(name, profile, seed):
    """Start a notebook: set the figure style, quiet the logs, print versions, open the ledger.

    Parameters
    ----------
    name : str
        The notebook's file name without ending.
    profile : {"full", "quick", "stability"}
        See `Session`.
    seed : int
        The experiment's seed.

    Returns
    -------
    Session
        With the ledger, whose folder is ``$GENERALIZE_OUT/claims`` where the runner sets that variable, and
        ``build/PROFILE-SEED/claims`` otherwise: opening a notebook never overwrites committed results.
    """
    assert _tensorflow.keras  # imported by helpers, quietly, before a notebook imports Keras itself
    profile = checks.one_of("profile", profile, PROFILES)
    seed = checks.integer("seed", seed, low=0)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    plots.style()
    folder = Path(os.environ.get("GENERALIZE_OUT", paths.build() / f"{profile}-{seed}")) / "claims"
    found = claims.versions()
    shown = ", ".join(
        f"{key} {found[key]}" for key in ("python", "tensorflow", "keras", "numpy", "scipy")
    )
    quick = (
        " Few networks: sentences about results describe the full profile."
        if profile == "quick"
        else ""
    )
    say(f"Profile **{profile}**, seed {seed}.{quick} {shown}.")
    return Session(name, profile, seed, claims.Ledger(name, profile, folder, seed))
