"""The lab: fifty networks under a slider, and what one run of them would have told.

`start` shows it in JupyterLab, `show` a still picture; ``python -m helpers.lab`` measures how long a move takes.
"""

from helpers.lab.controls import Lab, start
from helpers.lab.picture import show
from helpers.lab.training import MEMBERS, WIDTHS, Bench, Result, Setting, train, usual
from helpers.lab.worlds import WORLDS

__all__ = [
    "MEMBERS",
    "WIDTHS",
    "WORLDS",
    "Bench",
    "Lab",
    "Result",
    "Setting",
    "show",
    "start",
    "train",
    "usual",
]
