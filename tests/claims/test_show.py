import dataclasses
import itertools
import pathlib
import re
from html.parser import HTMLParser

import pytest

from helpers.claims import _ruler, show, verdict
from helpers.claims.entries import Region
from helpers.claims.gates import GateResult
from helpers.claims.ledger import ControlResult, Measured, Record, SettingResult
from helpers.stats import Interval

EXAMPLES = show.examples()
POST = "keras-post/x"


def measured(ends, region, statistic="mean difference", reference=None, name="", smallest=None):
    aim = verdict.target(region, statistic, reference, smallest)
    found = Interval(*ends, 0.99, 400, "made up")
    word = verdict.judge(found, region, statistic, reference, smallest)
    shown = (name, "a", "b", statistic, region, reference, aim.distance, aim.shape)
    return Measured(*shown, word.word, word.detail, (), found, None, 0.4)


def record(*parts, **changes):
    common = verdict.combine_parts([verdict.Verdict(p.word, p.detail) for p in parts])
    main = (SettingResult("", "world/x", common.word, common.detail, parts),)
    both = {"word": common.word, "detail": common.detail, "main": main, **changes}
    return dataclasses.replace(EXAMPLES[0], id=POST, **both)


HARD = {
    "edge and no effect far apart": measured((0.985, 0.96, 0.994), Region(at_least=0.95), "proportion", 0.0),
    "edge near no effect": measured((0.5, -2, 3), Region(at_least=0.2)),
    "far to the right": measured((43, 31, 58), Region(at_least=1.1), "ratio"),
    "far to the left": measured((-40, -60, -20), Region(at_least=0.2)),
    "downwards": measured((0.8, 0.7, 0.9), Region(at_most=0.75), "ratio"),
    "any size": measured((0.3, 0.1, 0.5), Region(at_least=0), smallest=0.2),
    "band": measured((0.38, 0.34, 0.42), Region(0.4, 0.6, (0.25, 0.75)), "proportion", 0.0),
    "equivalence": measured((0.002, -0.004, 0.008), Region(-0.01, 0.01), "difference of proportions"),
    "no worse": measured((0.5, 0.4, 0.6), Region(at_most=0.2)),
    "correlation": measured((0.985, 0.956, 1.0), Region(at_least=0.7), "rank correlation"),
    "no width": measured((0.2, 0.2, 0.2), Region(at_least=0.2)),
}  # fmt: skip


class Tags(HTMLParser):
    """Collects tags and checks that each is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(one):
    tags = Tags()
    tags.feed(show.card(one)._repr_html_())
    assert not tags.open
    return tags.seen


def test_the_five_examples_are_one_for_each_verdict():
    assert [one.word for one in EXAMPLES] == list(verdict.WORDS)


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one.word)
def test_every_form_says_sentence_verdict_and_number(one):
    card = show.card(one, "somewhere")
    for text in (card._repr_html_(), card._repr_markdown_(), str(card)):
        for piece in (one.statement, one.word, one.words, f"n = {one.n}", f"{one.estimate:g}"):
            assert piece in text
    assert 'href="somewhere"' in card._repr_html_()
    alternative = show.alternative(one)
    for piece in (one.statement, one.word, f"{one.interval.low:g}", "no effect is 0"):
        assert piece in alternative


@pytest.mark.parametrize("name", HARD)
def test_a_ruler_stays_within_its_card(name):
    seen = parsed(record(HARD[name]))
    svg = next(attributes for tag, attributes in seen if tag == "svg")
    assert svg["width"] == "100%" and svg["role"] == "img" and svg["aria-label"]
    for tag, attributes in seen:
        for key in ("x", "x1", "x2", "cx"):
            if key in attributes:
                assert 0 <= float(attributes[key].removesuffix("%")) <= 100, (tag, attributes)
        if "y" in attributes:
            assert 0 <= float(attributes["y"]) <= float(svg["height"])


@pytest.mark.parametrize("name", HARD)
def test_no_colour_is_for_light_or_dark_only(name):
    text = show.card(record(HARD[name]))._repr_html_()
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', text))
    assert colours <= {"currentColor", _ruler.BLUE, _ruler.ORANGE, "white"}


@pytest.mark.parametrize("name", HARD)
def test_labels_under_the_axis_do_not_touch(name):
    rows = [_ruler.Row("", HARD[name])]
    for line in _ruler.lines(_ruler._bottom_labels(rows, _ruler.axis(rows))):
        ends = sorted(label.ends for label in line)
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
        assert all(low >= -0.01 and high <= 100.01 for low, high in ends)


def test_labels_that_would_touch_get_a_line_each():
    labels = [_ruler.Label(x, "a label of some length") for x in (40, 42, 44)]
    assert len(_ruler.lines(labels)) == 3
    assert len(_ruler.lines([_ruler.Label(5, "ab"), _ruler.Label(90, "cd")])) == 1


def test_an_axis_holds_no_effect_and_region_and_no_impossible_share():
    for one in HARD.values():
        axis = _ruler.axis([_ruler.Row("", one)])
        none = _ruler.none_of(one)
        assert axis.holds(none) and all(axis.holds(edge) for edge in _ruler._edges(one))
    axis = _ruler.axis([_ruler.Row("", HARD["edge and no effect far apart"])])
    assert axis.high < 1.1


def test_ratios_are_on_a_log_axis():
    axis = _ruler.axis([_ruler.Row("", HARD["downwards"])])
    assert axis.at(1) - axis.at(0.8) == pytest.approx(axis.at(0.8) - axis.at(0.64))


def test_shares_are_in_percent_and_differences_in_points():
    text = str(show.card(record(HARD["band"])))
    assert "38 % [34, 42 %]" in text and "40 to 60 %" in text
    text = str(show.card(record(HARD["equivalence"])))
    assert "0.2 [-0.4, 0.8] points" in text and "-1 to 1 points" in text


@pytest.mark.parametrize(
    ("statistic", "unit", "says", "axis"),
    [
        ("mean", "percent", "0.5 % [0.4, 0.6 %]; true if at least 0.2 %", "mean"),
        ("mean", "share", "50 % [40, 60 %]; true if at least 20 %", "mean"),
        ("mean difference", "percent", "0.5 [0.4, 0.6] points; true if at least 0.2 points", "points"),
        ("mean difference", "share", "50 [40, 60] points; true if at least 20 points", "points"),
    ],
)  # fmt: skip
def test_means_are_said_in_their_unit(statistic, unit, says, axis):
    plain = measured(
        (0.5, 0.4, 0.6), Region(at_least=0.2), statistic, 0.0 if statistic == "mean" else None
    )
    card = show.card(record(dataclasses.replace(plain, unit=unit)))
    assert says in str(card)
    assert axis in re.search(r">([^<]*)</text></svg>", card._repr_html_())[1]


def test_a_gate_that_asks_no_question_becomes_a_sentence():
    gate = GateResult("manipulation", True, "Does it fit? Errors left:", "Yes: 2 %; at most 5 %.")
    part = dataclasses.replace(HARD["downwards"], gates=(gate,))
    assert "Does it fit? Errors left: yes, 2 %; at most 5 %." in str(show.card(record(part)))
    asked = dataclasses.replace(gate, question="Does it fit?")
    part = dataclasses.replace(part, gates=(asked,))
    assert "Does it fit? Yes: 2 %" in str(show.card(record(part)))


def test_parts_of_one_unit_share_a_ruler_and_others_have_their_own():
    ridge = measured((0.3, 0.25, 0.35), Region(at_least=0.2), name="ridge")
    spline = measured((0.6, 0.5, 0.7), Region(at_least=0.1), name="spline")
    share = measured((0.8, 0.7, 0.9), Region(at_least=0.5), "proportion", 0.2, "share of sets")
    assert sum(tag == "svg" for tag, _ in parsed(record(ridge, spline))) == 1
    assert sum(tag == "svg" for tag, _ in parsed(record(ridge, spline, share))) == 2
    text = show.card(record(ridge, spline, share))._repr_html_()
    assert "✓ ridge: 0.3 [0.25, 0.35]" in text and "✓ spline" in text


@pytest.mark.parametrize("statistic", ["mean", "proportion"])
@pytest.mark.parametrize(
    ("region", "reference", "called"),
    [
        (Region(at_least=0.9), 0.5, "plainly false"),
        (Region(0.4, 0.6, (0.2, 0.8)), 0.0, "plainly false"),
        (Region(0.4, 0.6), 0.5, "plainly true"),
        (Region(at_most=0.6), 0.5, "plainly true"),
        (Region(at_least=0.5), 0.5, "the border"),
    ],
)
def test_a_reference_is_called_false_only_where_the_region_does_not_hold_it(
    statistic, region, reference, called
):
    one = record(measured((0.5, 0.45, 0.55), region, statistic, reference, smallest=0.1))
    others = {"plainly false", "plainly true", "the border"} - {called}
    for text in (show.Card(one)._repr_html_(), show.alternative(one)):
        assert called in text and not any(other in text for other in others)


def test_parts_whose_reference_is_called_differently_have_their_own_rulers_and_names():
    ends = (0.5, 0.45, 0.55)
    alike = measured(ends, Region(0.4, 0.6), "proportion", 0.5, name="shuffled")
    better = measured(ends, Region(at_least=0.9), "proportion", 0.5, name="half-planes")
    rows = [_ruler.Row(one.name, one) for one in (alike, better)]
    drawn = _ruler.rulers(rows, "")
    assert drawn.count("<svg") == 2
    assert all(
        text in drawn for text in ("shuffled", "half-planes", "plainly true", "plainly false")
    )


def test_a_long_name_has_two_lines_and_a_longer_one_is_cut():
    name = "random forest with a very long name indeed"
    parts = [measured((0.3, 0.25, 0.35), Region(at_least=0.2), name=n) for n in (name, "b")]
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", show.card(record(*parts))._repr_html_())
    assert f"✓ {name}: 0.3 [0.25, 0.35]" in " ".join(drawn)
    name += ", grown on every feature"
    parts = [measured((0.3, 0.25, 0.35), Region(at_least=0.2), name=n) for n in (name, "b")]
    assert "…" in show.card(record(*parts))._repr_html_()
    assert name in str(show.card(record(*parts)))


def test_a_question_of_ours_is_not_put_under_the_words_that_led_to_it():
    ours = dataclasses.replace(EXAMPLES[0], role="ours")
    card = show.card(ours)
    for text in (card._repr_html_(), card._repr_markdown_(), str(card), show.table([ours])):
        assert ours.words not in text and ours.statement in text
    assert EXAMPLES[0].words in show.card(EXAMPLES[0])._repr_html_()


def test_markup_in_words_is_harmless():
    one = dataclasses.replace(EXAMPLES[0], words="<b>&", statement='"<script>" is less')
    text = show.card(one)._repr_html_()
    assert "<script>" not in text and "&lt;b&gt;&amp;" in text


def test_what_stands_beside_the_verdict_is_said():
    other = [SettingResult(name, "w/a", word, "", ()) for name, word in
             (("a", "supported"), ("b", "contradicted"), ("c", "open"))]  # fmt: skip
    failed = ControlResult(POST, "cause", "w/c", "", False, "80 % of the effect is left")
    one = record(HARD["edge near no effect"], elsewhere=tuple(other), controls=(failed,))
    part = dataclasses.replace(one.main[0].parts[0], could_show_none=False)
    one = dataclasses.replace(one, main=(dataclasses.replace(one.main[0], parts=(part,)),))
    text = str(show.card(dataclasses.replace(one, withdrawn="asked twice")))
    for piece in (
        "holds in 1 of 3, contradicted in 1, open in 1",
        "control (cause) failed: 80 %",
        "Withdrawn: asked twice",
        "could not have shown that there is no effect",
    ):
        assert piece in text


def test_a_paper_is_contradicted_at_this_scale():
    one = record(HARD["far to the left"], role="literature", source="huang2019")
    text = str(show.card(one))
    assert "contradicted at this scale" in text and "Huang 2019" in text
    assert "at this scale" not in str(show.card(record(HARD["far to the left"])))


def test_a_finding_comes_from_the_verdict():
    texts = {"supported": "It rises", "contradicted (reversed)": "It falls"}
    assert show.by_verdict(EXAMPLES[0], texts) == "It rises"
    assert show.by_verdict(EXAMPLES[2], texts) == "It falls"
    with pytest.raises(ValueError, match="texts"):
        show.by_verdict(EXAMPLES[3], texts)
    assert show.by_verdict(EXAMPLES[3], {**texts, "otherwise": "Both"}) == "Both"


# -------------------------------------------------------------------------------- table, headline


def test_the_table_has_a_line_for_each_claim_and_its_columns():
    one = record(HARD["band"], known="first edition: 0.2", statement="a | b")
    lines = show.table([*EXAMPLES, one], draws=lambda name: 3).splitlines()
    assert len(lines) == 2 + 6
    assert lines[0] == "| sentence | true if | result | n | verdict | role |"
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 7 for line in lines)
    assert lines[2].endswith("new |") and lines[-1].endswith("replication |")
    assert "draw number 3" in lines[-1] and "draw number" not in show.table([one])


def test_the_headline_counts_claims_of_the_sources_only():
    ours = dataclasses.replace(EXAMPLES[0], role="ours")
    gone = dataclasses.replace(EXAMPLES[1], withdrawn="asked twice")
    text = show.headline([*EXAMPLES, gone, ours])
    assert "6 claims" in text and "2 weaker than stated (" not in text
    assert "(1 of them withdrawn)" in text and "1 distinct experiment." in text
    assert "one may be wrong by chance" in text
    assert "No claim" in show.headline([ours])


@pytest.mark.parametrize("count, words", [(10, "one may"), (60, "one or two"), (400, "up to 8")])
def test_how_many_may_be_wrong_by_chance(count, words):
    assert words in show.headline([EXAMPLES[0]] * count)


# --------------------------------------------------------------------------------- marked numbers

RECORDS = {POST: record(measured((0.523, 0.38, 0.66), Region(at_least=0.2), name="ridge"),
                        measured((0.9, 0.8, 1.0), Region(at_least=0.2), name="a spline"))}  # fmt: skip


@pytest.mark.parametrize(
    "field, style, right",
    [
        ("estimate", ".2f", "0.52"),
        ("low", ".1f", "0.4"),
        ("high", ".0%", "66 %"),
        ("n", ",d", "400"),
        ("share", ".0%", "40 %"),
        ("ridge estimate", ".1f", "0.5"),
        ("a spline estimate", ".1f", "0.9"),
    ],
)
def test_numbers_are_filled(field, style, right):
    text = f"It rose by ?<!-- {POST} {field} {style} -->, they say."
    filled = show.fill_numbers(text, RECORDS)
    assert filled == f"It rose by {right}<!-- {POST} {field} {style} -->, they say."
    assert show.fill_numbers(filled, RECORDS) == filled
    assert show.stale_numbers(filled, RECORDS) == []


@pytest.mark.parametrize("old", ["?", "11", "-3.5", "−3.5", "1,234.5", "11 %", "1e-05", "7%"])
def test_whatever_number_stood_there_is_replaced_and_called_stale(old):
    mark = f"<!-- {POST} estimate .2f -->"
    text = f"in 2024, {old}{mark} or so"
    assert show.fill_numbers(text, RECORDS) == f"in 2024, 0.52{mark} or so"
    assert len(show.stale_numbers(text, RECORDS)) == 1


def test_a_dash_between_two_numbers_is_no_sign():
    mark = f"<!-- {POST} estimate .0f -->"
    assert show.fill_numbers(f"0-3{mark}", RECORDS) == f"0-1{mark}"


@pytest.mark.parametrize(
    "mark",
    ["other/claim estimate .1f", f"{POST} boosting estimate .1f", f"{POST} mean .1f"],
)
def test_marks_that_name_nothing_are_refused_and_stale(mark):
    text = f"11<!-- {mark} -->"
    with pytest.raises(ValueError, match=r"claim|field"):
        show.fill_numbers(text, RECORDS)
    assert len(show.stale_numbers(text, RECORDS)) == 1


def test_a_mark_without_a_number_is_stale():
    assert len(show.stale_numbers(f"eleven<!-- {POST} estimate .0f -->", RECORDS)) == 1
    assert show.stale_numbers("<!-- an ordinary comment, n = 3 -->", RECORDS) == []


def test_a_setting_elsewhere_has_numbers_too():
    part = measured((0.1, 0.05, 0.15), Region(at_least=0.2))
    one = record(
        HARD["any size"], elsewhere=(SettingResult("wide", "w/a", part.word, "", (part,)),)
    )
    assert show.number(one, "wide estimate", ".1f") == "0.1"


def test_a_record_is_what_is_shown():
    assert isinstance(show.card(EXAMPLES[0]).record, Record)


def test_the_page_on_verdicts_shows_the_five_cards_as_they_are():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "verdicts.md").read_text(encoding="utf-8")
    between = page.split("<!-- five cards: begin -->")[1].split("<!-- five cards: end -->")[0]
    cards = [show.card(record)._repr_html_() for record in show.examples()]
    assert between.strip() == "\n".join(cards)


def test_a_finding_that_the_records_do_not_bear_out_is_seen():
    records = {"post/x": show.examples()[0]}
    assert show.stale_findings("<!-- post/x is supported -->", records) == []
    assert show.stale_findings("<!-- post/x is weaker than stated -->", records)
    assert show.stale_findings("<!-- post/y is open -->", records) == [
        "post/y is not recorded; a text rests on it"
    ]


def test_the_table_that_closes_a_lesson_has_a_row_a_claim_and_no_interval():
    table = show.brief_table(show.examples()).splitlines()
    assert len(table) == 2 + 5 and "[" not in "".join(table)
    assert table[2].endswith("| 0.52 | ✓ supported |")
