"""Claims: a sentence that somebody wrote, and what was measured about it. No TensorFlow.

`registry` reads what is registered, `planning` says before any data what can come out. `measure` turns arrays into
intervals, `gates` asks whether a claim could have come out at all, `verdict` turns intervals into words, and `judging`
joins the three. `ledger` keeps the records, `draws` every registration that was trained; `show` draws the cards.
"""

from helpers.claims import draws, gates, judging, ledger, measure, planning, registry, show, verdict

__all__ = [
    "draws",
    "gates",
    "judging",
    "ledger",
    "measure",
    "planning",
    "registry",
    "show",
    "verdict",
]
