"""Claims: a sentence that somebody wrote, and what was measured about it. No TensorFlow.

`registry` reads what is registered, `planning` says before any data what can come out, `measure` turns arrays into
intervals, `verdict` intervals into words, `ledger` keeps the records and `show` draws them.
"""

from helpers.claims import ledger, measure, planning, registry, show, verdict

__all__ = ["ledger", "measure", "planning", "registry", "show", "verdict"]
