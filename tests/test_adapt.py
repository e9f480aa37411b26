"""The page on adapting the course, followed as it stands: its data train, its claim is registered and judged."""

import pathlib
import re
import shutil

import pytest

from helpers.claims import judging, registry, verdict
from helpers.experiments import run

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "adapt.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """The project's registrations with those of the page as a reader's own."""
    folder = tmp_path_factory.mktemp("adapted") / "claims"
    shutil.copytree(ROOT / "claims", folder, ignore=shutil.ignore_patterns("mine.toml"))
    (folder / "mine.toml").write_text("\n".join(blocks("toml")), encoding="utf-8")
    return registry.load(folder)


def test_data_of_ones_own_train_as_the_page_says(capsys):
    names = {}
    exec(blocks("python")[0], names)
    assert names["runs"].history["mse"].shape[0] == 50
    assert 0 < float(capsys.readouterr().out) < 1


def test_a_claim_of_ones_own_is_registered_run_and_judged(known):
    (claim,) = [one for one in known.claims.values() if one.lesson == registry.MINE]
    (id,) = claim.experiments
    experiment = known.experiments[id]
    arrays = run.function_of(experiment)(
        known.seed(id, profile="quick"), experiment.n_for("quick"), **experiment.recipe_for("quick")
    )
    record = judging.judge_claim(claim, {id: arrays}.get)
    assert record.word in verdict.WORDS and record.n == 4


def test_the_cells_of_the_page_name_what_it_registers(known):
    (cells,) = [block for block in blocks("python") if "session." in block]
    assert set(re.findall(r'"(mine/[^"]+)"', cells)) <= {*known.experiments, *known.claims}


def test_no_other_experiment_gets_another_seed(known):
    ours = registry.load(ROOT / "claims")
    assert all(known.registration(id) == ours.registration(id) for id in ours.experiments)
