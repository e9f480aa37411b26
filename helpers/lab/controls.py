"""The lab in JupyterLab: sliders, a worker beside them, and the picture of where they stand now.

A slider that moves counts up a generation and wakes the worker, which trains one setting at a time. What it has trained
is drawn only if no slider has moved meanwhile: ipywidgets queues events, and whoever drags a slider from one end to the
other does not want to see every stop.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterable

import ipywidgets as widgets
from IPython.display import display

from helpers._base import checks, seeds
from helpers.lab import picture
from helpers.lab.training import LOOKS, MEMBERS, WIDTHS, Bench, Result, Setting, usual
from helpers.lab.worlds import WORLDS

PLACES = {  # of the sliders; the noise has its world's
    "width": WIDTHS,
    "l2": (0.0, 1e-4, 1e-3, 1e-2, 1e-1),
    "dropout": (0.0, 0.1, 0.25, 0.5),
    "rate": (0.001, 0.003, 0.01, 0.03, 0.1),
    "n": (5, 10, 20, 40, 60, 80, 100),
    "epochs": LOOKS,
}
NAMES = {
    "width": "width",
    "l2": "L2",
    "dropout": "dropout",
    "rate": "learning rate",
    "noise": "noise",
    "n": "points",
    "epochs": "epochs",
}


class Lab:
    """The controls, the picture and what holds them together; `start` shows one.

    Parameters
    ----------
    worlds : iterable of str
        Those to choose from, of `worlds.WORLDS`; the first is shown first.
    widths : iterable of int
        Places of the slider of the width.
    members : int
        Networks at each setting.
    seed : int
        Where the seed's box begins.
    """

    def __init__(self, worlds: Iterable[str], widths: Iterable[int], members: int, seed: int):
        self.worlds, self.widths = tuple(worlds), tuple(widths)
        for name, given, all_there_are in (
            ("worlds", self.worlds, tuple(WORLDS)),
            ("widths", self.widths, WIDTHS),
        ):
            if not given or not set(given) <= set(all_there_are):
                expected = f"one or more of {', '.join(map(repr, all_there_are))}"
                raise ValueError(checks.message(name, expected, given))
        self.bench = Bench(members)
        self.generation = self.dropped = self._moves = 0
        self.result: Result | None = None
        self._earlier: Result | None = None
        self._guard, self._worker, self._muted = threading.Lock(), None, False
        self._make(checks.integer("seed", seed, 0))

    def _make(self, seed):
        """Make the widgets, silent until `compile` is done."""
        wide = {"style": {"description_width": "90px"}, "layout": widgets.Layout(width="270px")}
        slider = {"continuous_update": False, **wide}
        titles = [(WORLDS[world].title, world) for world in self.worlds]
        self.world = widgets.Dropdown(options=titles, description="world", **wide)
        self.sliders = {
            name: widgets.SelectionSlider(
                options=self._places(name, self.worlds[0]), description=text, **slider
            )
            for name, text in NAMES.items()
        }
        self.run = widgets.IntSlider(
            1, 1, self.bench.members, description="run at the left", **slider
        )
        self.next = widgets.Button(
            description="Another run",
            layout=widgets.Layout(width="170px", margin="2px 2px 2px 102px"),
        )
        self.seed = widgets.BoundedIntText(seed, 0, 10**9, description="seed", **wide)
        self.same = widgets.Checkbox(True, description="same seeds", **wide)
        self.status, self.question, self.picture, self.words = (widgets.HTML() for _ in range(4))
        self.box = widgets.VBox(
            [self.status], layout=widgets.Layout(width="100%", max_width="920px")
        )
        self._put(usual(self.worlds[0]))
        self.world.observe(self._new_world, "value")
        for control in (*self.sliders.values(), self.seed, self.same):
            control.observe(lambda change: self.move(), "value")
        self.run.observe(lambda change: self.move(same=True), "value")
        self.next.on_click(self._another)

    def _places(self, name, world):
        """Return the options of a slider: label and value."""
        values = {**PLACES, "width": self.widths, "noise": WORLDS[world].noises}[name]
        return [(f"{value:g}", value) for value in values]

    def _put(self, setting):
        """Move the sliders to a setting, unnoticed."""
        self._muted = True
        self.sliders["noise"].options = self._places("noise", setting.world)
        for name, slider in self.sliders.items():
            places = [value for _, value in slider.options]
            # Fewer widths than usual: the nearest there is.
            slider.value = min(places, key=lambda value: abs(value - getattr(setting, name)))
        self._muted = False

    def _new_world(self, change):
        self._put(usual(self.world.value))
        self.move()

    def _another(self, button):
        self.run.value = self.run.value % self.bench.members + 1

    def open(self) -> None:
        """Put the controls on the page, in rows that wrap where it is narrow."""
        rows = widgets.Layout(flex_flow="row wrap", width="100%")
        controls = [self.world, *self.sliders.values(), self.run, self.next, self.seed, self.same]
        # Last what changes its number of lines, so that nothing else moves.
        said = [self.status, self.question, self.picture, self.words]
        self.box.children = [widgets.HBox(controls, layout=rows), *said]

    def compile(self) -> None:
        """Make every program that the sliders need, saying which; no slider is on the page yet."""
        started = time.perf_counter()
        count = len(self.worlds) * len(self.widths)
        for done, name in enumerate(self.bench.compile_all(self.worlds, self.widths)):
            self.status.value = f"compiling {done + 1} of {count}: {html.escape(name)} ..."
        self.compiled = time.perf_counter() - started

    def setting(self) -> Setting:
        """Return where the controls stand. Without "same seeds" every move draws a seed of its own."""
        values = {name: slider.value for name, slider in self.sliders.items()}
        seed = self.seed.value
        if not self.same.value:
            seed = seeds.integer(seed, "move", self._moves)
        return Setting(self.world.value, **values, seed=seed)

    def move(self, same: bool = False) -> None:
        """Say that a control has moved: the worker trains where it stands, unless it moves again first.

        Parameters
        ----------
        same : bool
            Whether the networks stay the same.
        """
        if self._muted:
            return
        with self._guard:
            self.generation += 1
            self._moves += not same
            self.status.value = "training ..."
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until the picture is that of the controls.

        Raises
        ------
        TimeoutError
            After so many seconds.
        """
        worker = self._worker
        if worker is not None:
            worker.join(seconds)
            if worker.is_alive():
                raise TimeoutError(f"The picture is not done after {seconds:g} s.")

    def _work(self):
        """Train and draw until the picture is that of the newest generation."""
        while True:
            with self._guard:
                asked = self.generation
            try:
                self._answer(asked)
            except Exception as error:  # nobody else would see it: this is a thread
                self.status.value = f"<b>{type(error).__name__}</b>: {html.escape(str(error))}"
            with self._guard:
                if asked == self.generation:
                    self._worker = None
                    return

    def _answer(self, asked):
        """Train the setting as it is now; draw it if ``asked`` is still the newest generation."""
        started = time.perf_counter()
        setting = self.setting()
        before = self.result
        result = before if before is not None and before.setting == setting else self.bench(setting)
        if asked != self.generation:
            self.dropped += 1
            return
        if result is not before:
            self.result, self._earlier = result, before
        run, earlier = self.run.value, self._earlier
        pairs = earlier is not None and (earlier.setting.world, earlier.setting.seed) == (
            setting.world,
            setting.seed,
        )
        picture_now = picture.tag(result, run)
        self.question.value = picture.question(result)
        self.picture.value = picture_now
        self.words.value = picture.words(result, run, earlier if pairs else None)
        new = f"{len(result.error)} networks trained in {result.seconds:.2f} s; "
        trained = (
            new if result is not before and result.seconds else ""
        )  # else they had been before
        self.status.value = f"{trained}picture after {time.perf_counter() - started:.2f} s"


def start(
    worlds: Iterable[str] = tuple(WORLDS),
    widths: Iterable[int] = WIDTHS,
    members: int = MEMBERS,
    seed: int = 0,
) -> Lab:
    """Compile all that the sliders need, then show them with the picture of where they stand.

    Parameters
    ----------
    worlds, widths, members, seed
        As in `Lab`.

    Returns
    -------
    Lab
        With the ``result`` that is shown.

    Raises
    ------
    TypeError, ValueError
        A world or width that there is not, fewer than two networks, a negative seed.
    """
    lab = Lab(worlds, widths, members, seed)
    display(lab.box)
    lab.compile()
    lab.move()
    lab.wait()
    lab.open()
    return lab
