"""One call at the top of each lesson, and the few things a lesson shows: numbers of experiments, cards, the table.

Lessons read replicates from the store and judge them. Only `make experiments` writes replicates and verdicts.
"""

from __future__ import annotations

import html
import inspect
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from IPython.display import HTML, Markdown, display

from helpers import classroom, plots
from helpers._base import checks, paths
from helpers._tensorflow import keras_defaults
from helpers.claims import ledger, registry, show
from helpers.experiments import judge, run
from helpers.experiments.store import COMMITTED, Place

PROFILES = ("full", "quick")


@dataclass(frozen=True)
class Session:
    """What a lesson was started with.

    Attributes
    ----------
    name : str
        The lesson, for example "01_overfitting".
    place : Place
        Profile and master seed.
    registry : Registry
        All that is registered.
    """

    name: str
    place: Place
    registry: registry.Registry
    _obtained: dict = field(default_factory=dict, repr=False)

    @property
    def quick(self) -> bool:
        """Whether this is the quick profile: few small networks, no verdicts."""
        return self.place.profile == "quick"

    def pick(self, full, quick):
        """Return ``quick`` in the quick profile, ``full`` otherwise: for the reader's own runs."""
        return quick if self.quick else full

    def run(self, id: str) -> dict:
        """Return the arrays of a registered experiment and say where they come from.

        Parameters
        ----------
        id : str
            For example ``"noisy_line/rivals"``.

        Returns
        -------
        dict of numpy.ndarray
            One row a replicate; constants under "constants".
        """
        experiment = run.find(id, self.registry)
        n = run.rows_of(experiment, self.place)
        source = f"`helpers/experiments/{experiment.function.split('.')[0]}.py`"
        if not self.quick and not run.held(experiment, self.registry, self.place):
            seconds = run.guess(experiment, self.registry)
            about = f", about {run.minutes(seconds)}" if seconds else ""
            self.say(f"*Not in the store: {n:,} replicates are trained now{about}.*")
        arrays, entry = self._obtain(id)
        if entry is None:
            text = f"{n:,} replicates, trained just now ({source})."
        else:
            text = f"{entry.n:,} replicates, from the store (trained in {run.minutes(entry.seconds)}; {source})."
        display(Markdown(f"*{text}*"))
        code = html.escape(inspect.getsource(run.function_of(experiment)))
        display(
            HTML(
                f"<details style='margin-bottom:1em'><summary>How it is done</summary><pre>{code}</pre></details>"
            )
        )
        return arrays

    def _obtain(self, id: str) -> tuple:
        """Return arrays and index entry of an experiment, read or trained once a session."""
        if id not in self._obtained:
            self._obtained[id] = run.obtain(id, self.registry, self.place)
        return self._obtained[id]

    def record(self, id: str) -> ledger.Record:
        """Return what was found about a claim, judged from the replicates; without a store, as it was published."""
        if id not in self.registry.claims:
            raise ValueError(checks.message("id", "the id of a registered claim", id))
        if self.place == COMMITTED and not paths.checkout():
            return ledger.load()[id]
        return judge.record(id, self.registry, lambda experiment: self._obtain(experiment)[0])

    def card(self, id: str) -> None:
        """Show the card of a claim: the sentence, the ruler, the verdict."""
        if self.quick:
            text = f"`{id}`: no verdict from few small networks; the card is in the full profile."
            display(Markdown(f"*{text}*"))
        else:
            display(HTML(show.card(self.record(id))._repr_html_()))

    def table(self, ids: Iterable[str]) -> None:
        """Show the table of a lesson's claims: sentence, what makes it true, the result, the verdict."""
        if not self.quick:
            display(Markdown(show.brief_table([self.record(id) for id in ids])))

    def control(self, id: str) -> None:
        """Show what came of the controls of a claim, a sentence each."""
        if not self.quick:
            for one in self.record(id).controls:
                word, answer = "Yes" if one.passed else "No", one.answer
                if one.kind == "same" and one.interval:
                    none = answer.removeprefix("no effect is ")
                    answer = f"{one.interval.estimate:.3g} (no effect: {none})"
                self.say(f"*Registered as a control:* {one.statement} **{word}**: {answer}.")

    def hand_in(self, id: str, seed: int, folder: str = "class") -> None:
        """Train one replicate of a claim's experiment under the reader's own seed, and keep it in a file for the class.

        Parameters
        ----------
        id : str
            A claim, for example ``"ours/large-rate-is-better"``.
        seed : int
            The reader's own, 1 or larger: 0 is the project's.
        folder : str
            Where the file goes; `make class` shows what a class handed in.
        """
        path, value, agrees = classroom.hand_in(id, seed, folder, self.registry)
        if value is None:
            self.say("Your replicate does not count: the experiment leaves such networks out.")
        else:
            word = "agrees" if agrees else "does not agree"
            self.say(f"Your replicate measures {value:.3g}. Alone it {word} with the sentence.")
        self.say(f"Hand in the file `{path}`.")

    def say(self, text: str) -> None:
        """Show a sentence whose numbers come from results."""
        display(Markdown(text))


def reveal(question: str, answer: str) -> None:
    """Show a question, whose `code` and *emphasis* are Markdown, and whose answer, HTML, unfolds."""
    asked = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(question))
    asked = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", asked)
    display(HTML(f"<details><summary><b>{asked}</b></summary>{answer}</details>"))


def five_rulers() -> None:
    """Show five made-up cards, one for each verdict, in the order in which the lessons list them."""
    for one in show.examples():
        display(HTML(show.card(one)._repr_html_()))


def start(name: str, profile: str = "full", seed: int = 0) -> Session:
    """Start a lesson: figure style, quiet logs, single precision.

    Parameters
    ----------
    name : str
        The lesson's file name without ending.
    profile : {"full", "quick"}
        "full" reads the committed replicates; "quick" trains a few small networks and gives no verdict.
    seed : int
        The master seed: 0 for the committed replicates; others are trained anew, which takes minutes.

    Returns
    -------
    Session

    Raises
    ------
    ValueError
        For a profile or seed that does not exist.
    """
    profile = checks.one_of("profile", profile, PROFILES)
    seed = checks.integer("seed", seed, low=0)
    if not isinstance(name, str) or not name:
        raise TypeError(checks.message("name", "a lesson's file name without ending", name))
    keras_defaults()  # whatever the reader's keras.json says
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    plots.style()
    note = (
        " Few small networks: sentences about results describe the full profile."
        if profile == "quick"
        else ""
    )
    display(Markdown(f"*Profile {profile}, seed {seed}.{note}*"))
    return Session(name, Place(profile, seed), registry.load())
