"""The parts of `tools.site` that need no Sphinx: texts, links, histograms. What is built is tested by `make site`."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.claims import ledger, registry
from helpers.claims.entries import Region
from helpers.experiments import judge
from tools.site import claim_pages, claim_records, histogram, links, numbers, reading, stage, theme

numbers_of_runs = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=200).map(np.array)


def test_a_marked_number_leads_to_its_claim_and_no_comment_is_left():
    text = "by 18 %<!-- post/x 5 inputs estimate .0% --> <!-- post/x is open -->of"
    found = numbers.linked(text, "../")
    assert 'href="../claims/post/x.html"' in found and ">18 %</a>" in found and "<!--" not in found


@pytest.mark.parametrize(
    "text", ["# In 0.5<!-- post/x n d -->", "```\n0.5<!-- post/x n d -->\n```"]
)
def test_headings_and_code_stay_plain(text):
    assert "<a" not in numbers.linked(text, "") and "0.5" in numbers.linked(text, "")


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("../../results/README.md#post/x", "../claims/post/x.md"),
        ("../results/README.md", "../claims/index.md"),
        ("../claims", "../claims/index.md"),
        ("../references.bib", "../bibliography.md"),
        ("../claims/01_overfitting.toml", "../claims/01_overfitting.toml"),
        ("01_overfitting.ipynb", "01_overfitting.ipynb"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(link, place):
    assert links.within(f"[a]({link})", "../") == f"[a]({place})"


def test_only_known_keys_become_citations():
    text = "[huang2019] [nobody1900] [huang2019](there)"
    assert reading.cited(text) == "{cite:p}`huang2019` [nobody1900] [huang2019](there)"


@given(values=numbers_of_runs, edge=st.floats(-1e3, 1e3))
def test_bars_hold_every_replicate_once_and_none_is_half_inside(values, edge):
    found = histogram.bars(values, values >= edge, Region(at_least=edge), log=False)
    assert sum(bar.count for bar in found) == len(values)
    assert sum(bar.count for bar in found if bar.inside) == np.sum(values >= edge)


def test_far_replicates_share_the_last_bar_so_that_the_others_are_seen():
    values = np.append(np.linspace(0, 1, 500), 1e6)
    found = histogram.bars(values, values >= 0.5, Region(at_least=0.5), log=False)
    assert sum(bar.count for bar in found) == 501 and max(bar.high for bar in found) < 100


def test_the_start_page_has_every_lesson_of_the_readme():
    readme = (stage.ROOT / "README.md").read_text(encoding="utf-8")
    titles = stage.lesson_titles(stage.ROOT)
    found = stage.lessons(readme)
    rows = [one["path"] for one in found]
    assert rows == [f"notebooks/{stem}" for stem in titles], "README.md needs a row for each lesson"
    page = stage.index(readme, titles, ledger.load())
    assert "@" not in re.sub(r"<[^>]*>", "", page) and "?<!--" not in page


def test_a_new_page_of_the_docs_has_a_place_in_the_menu():
    known = {f"docs/{path.stem}" for path in (stage.ROOT / "docs").glob("*.md")}
    assert set(stage.others("")) == known and known - set(stage.others("\ndocs/glossary\n")) == {
        "docs/glossary"
    }


def test_buttons_that_launch_follow_the_one_address():
    assert "launch_buttons" not in theme.options("") and "repository_url" not in theme.options("")
    found = theme.options("https://github.com/a/b", "https://hub.example.edu")
    assert found["repository_url"] == "https://github.com/a/b"
    assert {"binderhub_url", "colab_url", "jupyterhub_url"} <= found["launch_buttons"].keys()
    assert "jupyterhub_url" not in theme.options("https://github.com/a/b")["launch_buttons"]


def test_anchors_are_githubs():
    assert (
        theme.slug("How a verdict comes about: five *words*")
        == "how-a-verdict-comes-about-five-words"
    )


def test_every_experiments_function_is_found_without_importing_it():
    found = registry.load().experiments.values()
    assert all(claim_records.source(one.function).startswith(("def ", "@")) for one in found)


def test_a_statement_in_a_card_or_table_leads_to_its_claim():
    id, record = next(iter(ledger.load().items()))
    assert f"claims/{id}.md" in reading.tabled(
        f"| sentence | a |\n| --- | --- |\n| {record.statement} | b |"
    )


def test_a_claims_page_says_what_other_master_seeds_say():
    known = registry.load()
    id = "ours/large-rate-is-better"
    records = {id: judge.record(id, known, judge.reader(known))}
    row = {"claim": id, "pooled": "open", "seeds": "1 2 3", "pooled_n": "75"}
    row |= {"pooled_estimate": "1.5", "pooled_low": "0.7", "pooled_high": "2.3"}
    text = claim_pages.page(id, replace(claim_records.load(known, records), again={id: row}))
    assert "3 other seeds" in text and "1.5 [0.7, 2.3] points; n = 75; *open*" in text
    text = claim_pages.page(id, replace(claim_records.load(known, records), again={}))
    assert "other master seeds" not in text
