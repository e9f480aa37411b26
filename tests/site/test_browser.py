"""The site as somebody sees it, from disk and without a network: search, folded code, players, telephones, the dark."""

import pytest

from tools import notebooks
from tools.site import ROOT, SITE

LESSONS = [f"notebooks/{path.stem}.html" for path in notebooks.lessons(ROOT)]
CLAIMS = [  # one of each kind: of one quantity, of several, in several settings, shares, ranks, instances, ratios
    "overfitting-blog/resembles-least-squares",
    "ours/trained-until-it-fits",
    "xor-thread/more-units-more-reliable",
    "xor-thread/pathological-starts-of-four",
    "keras-post/smoother-landscapes-generalize-better",
    "keras-post/l2-helps-where-it-overfits",
]
OTHERS = [
    path.relative_to(SITE).as_posix()
    for pattern in ("*.html", "api/*.html", "benchmarks/*.html", "claims/*.html", "docs/*.html")
    for path in sorted(SITE.glob(pattern))
]
PLACES = [*LESSONS, *OTHERS, "docs/teaching/01.html", *(f"claims/{id}.html" for id in CLAIMS)]


def address(place):
    """Return the address of a page on this machine."""
    return (SITE / place).as_uri()


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("place", PLACES)
def test_on_a_telephone_nothing_goes_wrong_and_nothing_scrolls_sideways(tab, place):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(address(place))
    assert tab.evaluate(WIDER) <= 0
    assert tab.errors == [] and tab.outside == []


def test_on_a_telephone_figures_stay_legible_and_code_and_outputs_are_whole(tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(address("notebooks/02_regularization.html"))
    player = tab.locator("[id^=animation-]").first
    player.locator("button").wait_for()
    widths = "all => all.map(one => one.clientWidth)"
    assert min(tab.locator(".cell_output .text_html > img").evaluate_all(widths)) > 500
    assert player.locator("img").evaluate("one => one.clientWidth") > 500
    player.scroll_into_view_if_needed()
    for control in ("button", "input"):
        box = player.locator(control).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    cut = "all => all.filter(one => one.clientWidth && one.scrollWidth > one.clientWidth).length"
    assert tab.locator("pre").evaluate_all(cut) == 0


def test_search_finds_a_word_that_is_there(tab):
    tab.goto(address("search.html") + "?q=overfitting")
    tab.wait_for_selector("#search-results li a", timeout=20_000)
    found = [link.get_attribute("href") for link in tab.query_selector_all("#search-results li a")]
    assert any("01_overfitting" in link for link in found)
    assert tab.errors == []


def test_folded_code_opens(tab):
    tab.goto(address(LESSONS[1]))
    cell = tab.locator("details.hide.above-input").first
    code = cell.locator("pre").first
    assert not code.is_visible()
    cell.locator("summary").click()
    code.wait_for(state="visible")
    assert "MY_SEED" in code.inner_text()


def test_a_player_plays(tab):
    places = [p for p in LESSONS if 'id="animation-' in (SITE / p).read_text(encoding="utf-8")]
    assert places
    tab.goto(address(places[0]))
    player = tab.locator("[id^=animation-]").first
    first = player.locator("img").get_attribute("src")
    player.locator("button").click()
    tab.wait_for_function(
        "first => document.querySelector('[id^=animation-] img').src !== first",
        arg=first,
        timeout=20_000,
    )
    assert tab.errors == []


def test_formulas_are_drawn_without_a_network(tab):
    tab.goto(address("notebooks/11_measuring_basins.html"))
    tab.wait_for_selector("mjx-container svg path", state="attached", timeout=30_000)
    assert tab.errors == [] and tab.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(tab, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.goto(address(PLACES[-1]))
    light = """name => {
        const found = getComputedStyle(document.body)[name].match(/[\\d.]+/g).map(Number);
        return (found[0] + found[1] + found[2]) / 765;
    }"""
    text, behind = (tab.evaluate(light, name) for name in ("color", "backgroundColor"))
    assert abs(text - behind) > 0.5
    assert (text > behind) == (scheme == "dark")
