"""A worker: reads questions from standard input and writes answers to standard output, both pickled, to the end.

Questions are ``(what, name, job or None, arguments)``: a job is sent once and kept under its name. Answers are
``("moved", amount)`` on the way, then ``("done", result)``, ``("failed", type, text, traceback)``, or, where the job is
not held any more, ``("lacks", name)``.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from typing import Any

MOST_KEPT = 4  # jobs with their programs; the one unused for longest goes first


def main() -> None:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Keras or the caller's code prints is no answer
    questions = sys.stdin.buffer

    def say(*answer: Any) -> None:
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    import jax
    import keras

    from helpers._jax import convolutions

    convolutions.install()
    keras.config.disable_traceback_filtering()  # whose operations failed is seen in the whole of it
    say("ready", {"keras": keras.__version__, "jax": jax.__version__, "on": jax.default_backend()})
    kept: dict[str, Any] = {}
    while True:
        try:
            what, name, job, arguments = pickle.load(questions)
        except EOFError:
            return
        if job is None and name not in kept:
            say("lacks", name)
            continue
        try:
            say("done", _answer(kept, what, name, job, arguments, lambda n: say("moved", n)))
        except Exception as error:
            say("failed", type(error).__name__, str(error), traceback.format_exc())


def _answer(
    kept: dict[str, Any], what: str, name: str, job: Any, arguments: Any, moved: Any
) -> Any:
    """Return what a question asks for."""
    import keras

    from helpers._base import keras_config
    from helpers._jax import building, training

    if what == "check":
        return training.check(job)
    if job is not None:
        made = building.model_of(job)[0] if what == "predict" else training.ready(job)
        settings = job.settings if what == "predict" else job.model.settings
        kept[name] = made, settings
    held, settings = kept[name] = kept.pop(name)  # becomes the youngest
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
    keras_config.write(keras, settings)  # another job may have had others
    if what == "predict":
        return training.predict(held, *arguments)
    return training.train(held, arguments, moved)


if __name__ == "__main__":
    main()
