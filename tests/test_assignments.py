"""Graded assignments: from the student's notebook to the checker, with a right, a wrong and a copied submission."""

import dataclasses
import json
import re

import nbformat
import numpy as np
import pytest

from helpers import assignments
from helpers._base import handed_in
from tools import answers, grade, surroundings

ROOT = surroundings.ROOT
NUMBERS = sorted(assignments.SHEETS)
TEXT = "One run lies where the sentence is true; others of mine do not, so the mean decides and not a run. "

# What a student writes, by the assignment's own words and not by `tools.answers`: one text for each exercise cell.
SOLVED = {
    "01": [
        'answers["prediction"] = 2',
        'answers["network"] = ((curves - truth) ** 2).mean(1)\nanswers["line"] = ((lines - truth) ** 2).mean(1)',
        'answers["one_run"] = TEXT',
        """
extra = answers["network"] - answers["line"]
interval = stats.mean_interval(extra)
answers |= {"mean": extra.mean(), "deviation": np.std(extra, ddof=1), "low": interval.low, "high": interval.high}
answers["share"] = np.mean(extra <= work.given["size"])
answers["verdict"] = verdict.judge(interval, Region(at_most=work.given["size"]), "mean difference").word
answers["runs_needed"] = 40 * 4**2""",
        """
answers["refuted_if"] = "it stays"
slow = noisy_line.train(work.seed, sets, decay=True, **recipe)
answers["decayed"] = ((noisy_line.curves_of(slow, sets, sets[0].x_test) - truth) ** 2).mean(1)
answers["left"] = (answers["decayed"] - answers["line"]).mean() / extra.mean()""",
        'answers["control"] = TEXT',
    ],
    "04": [
        'answers["prediction"] = 2.0',
        'answers |= {name: found[name].test for name in ("good", "bad")}',
        'answers["one_pair"] = TEXT',
        """
for name, one in found.items():
    ways = landscape.directions(minima.network("signals"), one.weights, 16, "filter", seed=work.seed)
    far = measures.crossing_radii(minima.network("signals"), one.weights, ways, one.stack.x_val, one.stack.y_val)
    answers[f"radius_{name}"] = far.mean(axis=1)""",
        """
good, bad = answers["radius_good"], answers["radius_bad"]
interval = stats.ratio_interval(good, bad)
answers |= {"ratio": interval.estimate, "wider": np.mean(good > bad)}
answers["verdict"] = verdict.judge(interval, Region(at_least=work.given["size"]), "ratio").word""",
        """
answers["orders"] = work.given["weights"] * np.log10(answers["ratio"])
answers["needed"] = 10 ** (10_000 / work.given["weights"])
answers["rescaled"] = "plain\"""",
        'answers["control"] = answers["reason"] = TEXT',
    ],
    "07": [
        'answers["prediction"] = -1',
        """
def scores(phi, wanted, new, penalty=0.0):
    return new @ random_features.Fit(phi).weights(wanted, penalty)

def all_rows(place, penalty=0.0):
    both = []
    for row in rows:
        phi, wanted, new, labels = features(row, counts[place])
        found = scores(phi, wanted, new, penalty)
        both.append((random_features.errors(found, labels), random_features.squared(found, labels)))
    return np.array(both).T

for place in counts:
    answers[f"errors_{place}"], answers[f"squared_{place}"] = all_rows(place)""",
        """
few, many = answers["errors_few"], answers["errors_many"]
times = stats.ratio_interval(answers["squared_many"], answers["squared_few"])
answers |= {"gain": (few - many).mean(), "ratio": times.estimate, "advert": TEXT}
fewer = stats.paired_interval(few, many)
answers["verdict_errors"] = verdict.judge(fewer, Region(at_least=1), "mean difference").word
answers["verdict_squared"] = verdict.judge(times, Region(at_most=1 / 1.1), "ratio").word""",
        """
answers["ridge"] = all_rows("one", work.given["penalty"])[0]
answers["left"] = (answers["ridge"].mean() - few.mean()) / (answers["errors_one"].mean() - few.mean())""",
        'answers |= {"units_128": wide[128], "units_512": wide[512], "one_run": TEXT}',
        'answers["control"] = TEXT',
    ],
}  # fmt: skip


def cells(number):
    path = ROOT / "notebooks" / "assignments" / f"{number}.ipynb"
    return nbformat.read(path, as_version=4).cells


def run(number, folder, monkeypatch, solved=()):
    """Execute a student's notebook in the quick profile, what is solved in the place of each exercise."""
    monkeypatch.chdir(folder)
    names, left = {"TEXT": TEXT}, list(solved)
    for cell in cells(number):
        if cell.cell_type == "code":
            exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= {"PROFILE": "quick"} | (
                {"NAME": "Ada Lovelace", "MY_SEED": 1815} if solved else {}
            )
        if left and "exercise" in cell.metadata.get("tags", []):
            exec(left.pop(0), names)
    assert not left
    return list(folder.glob("class/*.json"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "number", ["01", *(pytest.param(n, marks=pytest.mark.slow) for n in ("04", "07"))]
)
def test_who_does_what_the_notebook_says_gets_every_point(number, tmp_path, monkeypatch, capsys):
    (path,) = run(number, tmp_path, monkeypatch, SOLVED[number])
    assert "Missing: nothing" in capsys.readouterr().out
    assert grade.main([str(path), "--profile", "quick", "--kept", str(tmp_path / "kept")]) == 0
    told = capsys.readouterr().out
    got, whole, texts = map(
        int, re.search(r": (\d+) of (\d+) points, and up to (\d+) for", told).groups()
    )
    assert got == whole and whole + texts == assignments.SHEETS[number].points, told
    assert "does not fit" not in told and TEXT.strip() in told
    assert grade.main([str(path), "--kept", str(tmp_path / "kept")]) == 1  # quick is not graded
    assert "the quick profile" in capsys.readouterr().out


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "number",
    [pytest.param("01", marks=pytest.mark.slow), "04", pytest.param("07", marks=pytest.mark.slow)],
)
def test_the_starter_runs_says_what_is_missing_and_hands_nothing_in(
    number, tmp_path, monkeypatch, capsys
):
    assert not run(number, tmp_path, monkeypatch)
    assert f"Answered: 0 of {len(assignments.SHEETS[number].items)}" in capsys.readouterr().out


# ------------------------------------------------------------------------------- the checker, untrained


def made_up(work):
    """Return series as ours might be, of another level for each name, without any training."""
    rng = np.random.default_rng(work.seed)
    names = [
        n for n, item in assignments.SHEETS[work.number].items.items() if item.kind == "series"
    ]
    return {n: (k + 1) * np.exp(rng.normal(0, 0.3, work.replicates)) for k, n in enumerate(names)}


def right(work, text):
    """Return answers that follow from made-up series."""
    ours = made_up(work)
    items = assignments.SHEETS[work.number].items
    told = {n: f"{text} {n}" for n, item in items.items() if item.kind == "text"}
    return {"prediction": 1.0} | ours | answers.derived(work, ours) | told


def graded(folder, *files):
    """Read and grade files against made-up series; return submissions by name and the files left out."""
    found, left_out = grade.read(files or folder.glob("*.json"))
    for one in found:
        grade.grade(one, made_up(one.work))
    grade.copies(found)
    return {one.name: one for one in found}, dict(left_out)


def work_of(name, my_seed=7, number="01"):
    return assignments.Work(number, name, my_seed, "full")


OWN = "A single network of mine lies near the line, and the next one does not; so I would name a size, and many runs."


@pytest.mark.parametrize("number", NUMBERS)
def test_wrong_answers_lose_their_points_and_are_named(number, tmp_path):
    work = work_of("Grace Hopper", number=number)
    given = right(work, OWN)
    whole = sum(
        item.points for item in assignments.SHEETS[number].items.values() if item.kind != "text"
    )
    path = work.hand_in(given, tmp_path)
    (one,) = graded(tmp_path, path)[0].values()
    assert sum(one.points.values()) == whole and not one.remarks and not one.flags
    wrong, (series, number_of) = (
        dict(given),
        {"01": ("line", "mean"), "04": ("bad", "orders"), "07": ("errors_one", "gain")}[number],
    )
    wrong[series] = wrong[series][::-1]  # another student's, or shuffled
    slip = answers.mistakes(work, made_up(work))[number_of][0]
    wrong[number_of], wrong["prediction"] = slip[0], None
    (one,) = graded(tmp_path, work.hand_in(wrong, tmp_path))[0].values()
    assert [one.points[n] for n in (series, number_of, "prediction")] == [0, 0, 0]
    told = grade.told(one)
    assert "does not belong to this name and seed" in told and "prediction: no answer" in told


def test_a_mistake_that_is_met_often_is_called_by_its_name(tmp_path):
    work = work_of("Alan Turing")
    ours = made_up(work)
    given = right(work, OWN) | {"mean": ours["network"].mean()}
    (one,) = graded(tmp_path, work.hand_in(given, tmp_path))[0].values()
    assert "the line's own error is not subtracted" in grade.told(one) and one.points["mean"] == 0


def test_what_follows_rightly_from_a_series_of_ones_own_counts_and_rounding_is_forgiven(tmp_path):
    work = work_of("Emmy Noether")
    ours = made_up(work)
    noise = np.exp(
        np.random.default_rng(0).normal(0.05, 0.1, work.replicates)
    )  # as another processor's
    mine = ours | {"network": ours["network"] * noise}
    given = right(work, OWN) | mine | answers.derived(work, mine)
    (one,) = graded(tmp_path, work.hand_in(given, tmp_path))[0].values()
    assert given["mean"] != pytest.approx(ours["network"].mean() - ours["line"].mean(), rel=1e-3)
    assert not one.remarks


def test_a_copy_is_flagged_on_both_sides_and_its_numbers_do_not_count(tmp_path):
    source, thief, third = (
        work_of(name, seed) for name, seed in (("Ada", 7), ("Bob", 8), ("Cyd", 9))
    )
    given = right(source, OWN)
    for work, what in (
        (source, given),
        (thief, given),
        (third, right(third, "Nothing alike: " * 9)),
    ):
        work.hand_in(what, tmp_path)
    found, _ = graded(tmp_path)
    for one, other in (("Ada", "Bob"), ("Bob", "Ada")):
        (flag,) = found[one].flags
        assert (
            f"shared with {other}" in flag
            and "numbers of network" in flag
            and "same text in one_run" in flag
        )
    assert found["Bob"].points["network"] == 0 < found["Ada"].points["network"]
    assert not found["Cyd"].flags


def test_another_students_text_or_seed_alone_is_flagged_too(tmp_path):
    first, second = work_of("Ada", 7), work_of("Bob", 7)
    first.hand_in(right(first, OWN), tmp_path)
    second.hand_in(right(second, OWN.upper().replace("SO I", "thus I")), tmp_path)
    found, _ = graded(tmp_path)
    (flag,) = found["Bob"].flags
    assert (
        "nearly the same text" in flag and "the same MY_SEED" in flag and "numbers of" not in flag
    )
    assert not found["Bob"].remarks


def test_damaged_foreign_and_doubled_files_are_named_and_left_out(tmp_path):
    work = work_of("Ada")
    good = work.hand_in(right(work, OWN), tmp_path / "a")
    again = dataclasses.replace(work, name="ADA ").hand_in(right(work, OWN), tmp_path / "b")
    changed, cut, other, broken = (tmp_path / f"{k}.json" for k in range(4))
    changed.write_text(
        good.read_text(encoding="utf-8").replace('"my_seed": 7', '"my_seed": 8'), encoding="utf-8"
    )
    cut.write_bytes(good.read_bytes()[:99])
    other.write_text('{"course": "another"}', encoding="utf-8")
    content = json.loads(good.read_text(encoding="utf-8"))
    content["answers"]["network"] = [1.0]
    broken.write_text(json.dumps(content | {"digest": handed_in.digest(content)}), encoding="utf-8")
    absent = tmp_path / "absent.json"
    found, left_out = graded(tmp_path, good, again, changed, cut, other, broken, absent)
    assert list(found) == ["Ada"]
    assert "doubled" in left_out[str(again)] and "changed after" in left_out[str(changed)]
    assert "damaged" in left_out[str(cut)] and "damaged" in left_out[str(absent)]
    assert "foreign" in left_out[str(other)] and "network" in left_out[str(broken)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"nothing": 1}, "nothing"), ({"mean": "large"}, "mean"), ({"mean": np.nan}, "mean"),
        ({"network": [1.0, 2.0]}, "network"), ({"verdict": "true"}, "supported"), ({"one_run": 5}, "one_run"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_before_a_file_is_written(answer, says, tmp_path):
    with pytest.raises((TypeError, ValueError), match=says):
        work_of("Ada").hand_in(answer, tmp_path)
    assert not list(tmp_path.iterdir())


def test_who_has_not_written_a_name_hands_nothing_in(tmp_path):
    with pytest.raises(ValueError, match="NAME"):
        work_of(assignments.NOBODY).hand_in({"mean": 1}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_numbers_belong_to_name_and_seed_together():
    seeds = {assignments.seed_of(name, seed) for name in ("Ada", "Bob") for seed in (1, 2)}
    assert len(seeds) == 4 and assignments.seed_of(" ADA  B", 1) == assignments.seed_of("Ada b", 1)
    given = [
        assignments.given_to("01", assignments.seed_of("Ada", k))["size"] for k in range(1, 60)
    ]
    assert set(given) == set(assignments.SHEETS["01"].given["size"])


# --------------------------------------------------------------------------------- sheets and rubrics


@pytest.mark.parametrize("number", NUMBERS)
def test_notebook_sheet_and_rubric_name_the_same_items_and_points(number):
    sheet = assignments.SHEETS[number]
    found = cells(number)
    code = "\n".join(c.source for c in found if "exercise" in c.metadata.get("tags", []))
    prose = "\n".join(c.source for c in found if c.cell_type == "markdown")
    named = set(re.findall(r'answers\["(\w+)"\]', code)) | set(
        re.findall(r"`(\w+)`[^\]\n]*, \d", prose)
    )
    assert sheet.items.keys() <= named | set(re.findall(r"`(\w+)`", prose))
    assert f"{sheet.points} points" in prose
    page = (ROOT / "docs" / "teaching" / "assignments" / f"{number}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| (\d+) \|", page, re.MULTILINE)
    points = {name: int(each) for names, each in rows for name in re.findall(r"`(\w+)`", names)}
    assert points == {name: item.points for name, item in sheet.items.items()}
    assert f"Together: {sheet.points} points" in page


# ------------------------------------------------------------------------------------------- syllabi

INDEX = (ROOT / "docs" / "teaching" / "index.md").read_text(encoding="utf-8")


def plan(number):
    """Return (part, minutes) of each row of a lesson's plan."""
    text = (ROOT / "docs" / "teaching" / f"{number:02}.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (\d+) \| ([^|]+?) \|",
        text.split("## A plan for", 1)[1].split("\n## ")[0],
        re.MULTILINE,
    )
    return [(part, int(minutes)) for minutes, part in rows]


def sessions():
    """Return the rows (minutes, lesson, parts) of each session in the syllabi for one and for four."""
    text = INDEX.split("### One session", 1)[1].split("### Eleven sessions")[0]
    found = [re.findall(r"^\| (\d+) \|(?: \[(\d+)\]\([^)]*\))? *\| (.*?) \|$", part, re.MULTILINE)
             for part in text.split("Together: 90 minutes.")]  # fmt: skip
    return [rows for rows in found if rows]


def test_the_minutes_of_every_session_add_up():
    assert len(sessions()) == 5
    assert [sum(int(minutes) for minutes, _, _ in rows) for rows in sessions()] == [90] * 5
    eleven = re.findall(
        r"^\| 90 \| (\d+) \|", INDEX.split("### Eleven sessions", 1)[1], re.MULTILINE
    )
    assert [int(session) for session in eleven] == list(range(1, 12))
    assert all(sum(minutes for _, minutes in plan(k)) == 90 for k in range(1, 12))


@pytest.mark.parametrize("row", [row for rows in sessions() for row in rows if row[1]], ids=str)
def test_parts_of_a_session_are_in_the_lessons_plan_and_take_its_minutes(row):
    minutes, lesson, parts = row
    known = plan(int(lesson))
    if parts != "all":
        wanted = parts.split("; ")
        assert not set(wanted) - {part for part, _ in known}
        # a part that comes twice, such as "Predict": each session takes the one before the next part
        times = [
            next(t for k, (part, t) in enumerate(known)
                 if part == name and (after is None or name != "Predict" or known[k + 1][0] == after))
            for name, after in zip(wanted, [*wanted[1:], None], strict=True)
        ]  # fmt: skip
    else:
        times = [t for _, t in known]
    assert sum(times) == int(minutes)


def test_the_index_names_every_assignment_with_its_points():
    for number, sheet in assignments.SHEETS.items():
        assert re.search(
            rf"assignments/{number}\.ipynb\) \| {int(number)} \| \d+ \| {sheet.points} \|", INDEX
        )
