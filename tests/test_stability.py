"""Claims under several master seeds: what is run, how it is pooled, and what is said about it."""

import json
import pathlib
import sys

import nbformat
import numpy as np
import pytest

from helpers import _pooled, claims

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import claim_cells  # noqa: E402
import stability  # noqa: E402

sys.path.pop(0)

CLAIM = {
    "id": "test/claim", "source": "key", "role": "ours", "statement": "It is so.", "quantity": "a number",
    "recipe": "none", "reason": "by fiat", "replicates_over": "data", "n": 20,
}  # fmt: skip


def record(values, folder, seed, **changes):
    """Return the record of one claim under one seed, as a notebook would make it."""
    ledger = claims.Ledger("01_test", "stability", folder, seed)
    ledger.register(claims.Claim(**(CLAIM | {"region": claims.Direction("greater"), "smallest_effect": 1.0} | changes)))
    return ledger.record("test/claim", values)


def notebook(*sources, claim=-1):
    """Return a notebook's code cells, the one at `claim` tagged."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[claim].metadata["tags"] = ["claim"]
    return cells


def test_ten_honest_seeds_spread_within_the_range_of_chance():
    assert np.round(_pooled.honest_range(10), 2).tolist() == [0.44, 1.62]


@pytest.mark.parametrize("statistic", ["mean", "ratio"])
@pytest.mark.parametrize("n", [20, 80])
def test_honest_intervals_have_a_ratio_near_one(tmp_path, statistic, n):
    rng = np.random.default_rng(3)
    draw = (lambda: np.exp(rng.normal(0.5, 0.3, n))) if statistic == "ratio" else (lambda: rng.normal(3, 2, n))
    changes = {"statistic": statistic, "smallest_effect": 1.1 if statistic == "ratio" else 1.0}
    found = _pooled.pooled([record(draw(), tmp_path, seed, **changes) for seed in range(200)])["settings"][""]
    assert found["ratio"] == pytest.approx(1, abs=0.15)
    assert found["estimate"] == pytest.approx(np.exp(0.5) if statistic == "ratio" else 3, rel=0.03)
    assert found["verdict"] == "supported"


def test_an_interval_that_forgets_half_of_the_spread_is_found_out(tmp_path):
    rng = np.random.default_rng(4)
    records = [record(rng.normal(rng.normal(3, 1), 0.5, 20), tmp_path, seed) for seed in range(10)]
    assert _pooled.pooled(records)["settings"][""]["ratio"] > _pooled.honest_range(10)[1]


def test_constants_have_no_ratio(tmp_path):
    found = _pooled.pooled([record(np.full(20, 2.0), tmp_path, seed) for seed in range(3)])["settings"][""]
    assert found["ratio"] is None and found["verdict"] == "supported"


def test_a_pooled_share_stays_between_0_and_1(tmp_path):
    changes = {"statistic": "proportion", "region": claims.Band(0.95, 1.0), "smallest_effect": None}
    records = [record(np.arange(500) >= failures, tmp_path, s, **changes) for s, failures in enumerate((0, 0, 0, 4, 0))]
    found = _pooled.pooled(records)["settings"][""]
    assert found["ci_high"] == 1.0 and found["verdict"] == "supported"


def test_a_share_that_the_claim_asks_for_is_pooled_too(tmp_path):
    rng = np.random.default_rng(5)
    draws = [rng.normal(4, 4, 20) for _ in range(10)]
    plain = _pooled.pooled([record(values, tmp_path, s) for s, values in enumerate(draws)])
    strict = _pooled.pooled([record(values, tmp_path, s, share_at_least=0.95) for s, values in enumerate(draws)])
    assert (plain["verdict"], strict["verdict"]) == ("supported", "contradicted")


def test_files_of_seeds_are_read_and_damaged_ones_named(tmp_path):
    for seed in range(1, _pooled.FEWEST + 1):
        assert _pooled.load(tmp_path) == {} and "nothing is pooled yet" in stability.page(tmp_path, [])
        content = {"schema": 1, "seed": seed, "claims": [record(np.arange(20.0), tmp_path, seed)]}
        (tmp_path / f"seed-{seed:02d}.json").write_text(json.dumps(content))
    assert list(_pooled.load(tmp_path)) == ["test/claim"]
    page = stability.page(tmp_path, [record(np.arange(20.0) - 50, tmp_path, 0)])
    assert "differs from the committed run's for 1 of 1 claims" in page
    row = "9.50, 9.50, 9.50, 9.50, 9.50 | 9.50 [9.50, 9.50] | -40.5 [-44.3, -36.7] | contradicted | supported | –"
    assert f"| `test/claim` | {row} |" in page
    (tmp_path / "seed-02.json").write_text('{"schema": 1, "claims": [')
    with pytest.raises(ValueError, match=r"seed-02\.json.*make stability"):
        _pooled.load(tmp_path)


def kept(*sources):
    """Return which of the given one-statement cells are needed, the last of which is tagged."""
    return list(claim_cells.needed(notebook(*sources)))


def test_a_claim_needs_what_its_statement_reads_and_no_more():
    cells = notebook(
        "import numpy as np",
        "a = 1\nunused = 2",
        "b = np.ones(a)",
        "figure = plot(b)",  # only drawn
        "c = b + 1\nshown = plot(c)\nsession.ledger.record(c)\nshow(shown)",
    )
    found = claim_cells.needed(cells)
    assert found == {0: "import numpy as np", 1: "a = 1", 2: "b = np.ones(a)", 4: "c = b + 1\nsession.ledger.record(c)"}


def test_what_calls_a_function_that_records_is_needed_too():
    cells = ("a = 1", "def versus(x):\n    return session.ledger.record(x)", "b = 2", "found = versus(a)")
    assert kept(*cells) == [0, 1, 3]


def test_a_name_bound_anew_cuts_off_what_it_was_before():
    assert kept("x = 1", "x = 2", "session.ledger.record(x)") == [1, 2]
    assert kept("x = 1", "x = x + 1", "session.ledger.record(x)") == [0, 1, 2]
    assert kept("rows = 1", "rows = [k for k in 'ab']", "session.ledger.record(rows)") == [1, 2]
    assert kept("x = 1", "if y:\n    x = 2", "session.ledger.record(x)") == [0, 1, 2]  # perhaps not bound anew


def test_a_comprehension_has_names_of_its_own():
    assert kept(
        "k = 1", "z = 2", "rows = [k for k in 'ab']", "session.ledger.record(list(map(lambda z: z, rows)))"
    ) == [2, 3]


@pytest.mark.parametrize("change", ["d['k'] = 1", "d |= {1: 2}", "d.update(k=1)", "d['k'].append(1)", "del d['k']",
                                    "for d['k'] in (1, 2): pass", "for k, part in d.items(): part[k] = 1"])  # fmt: skip
def test_a_statement_that_changes_a_thing_is_needed_by_who_reads_it(change):
    assert kept("d = {}", change, "d2 = 0", "session.ledger.record(d)") == [0, 1, 3]


def test_what_a_function_reads_when_called_is_needed():
    function = "def f(y, *, z=W):\n    local = y\n    return local + STEPS"
    record = "session.ledger.record(f(1))"
    assert kept("STEPS = 3", function, record) == [0, 1, 2]
    assert kept("y = 1", "local = 2", function, record) == [2, 3]
    assert kept(function, "STEPS = 3", record) == [0, 1, 2]  # bound after the function, before the call
    assert kept(function, "STEPS = 3", "def g(): return f(1)", "session.ledger.record(g())") == [0, 1, 2, 3]


def test_fewer_replicates_take_effect_within_the_cell_that_names_them():
    source = "STEPS, MANY = 10, (\n    500\n)\nruns = train(MANY)\nOTHER = 3"
    names = {"train": lambda count: count}
    exec(stability.thinned(source, {"MANY": 50}), names)
    assert (names["STEPS"], names["runs"], names["OTHER"]) == (10, 50, 3)
    assert stability.thinned(source, {}) == source


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_the_reduced_notebook_registers_and_records_every_claim(path):
    code = "\n".join(cell.source for cell in stability.reduced(path).cells)
    whole = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    for word in (".register(", ".record(", ".record_exact(", "ledger.save("):
        assert code.count(word) == whole.count(word)


def test_the_constants_that_are_thinned_are_the_notebooks_own():
    for name, constants in stability.FEWER.items():
        source = "\n".join(c.source for c in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells)
        assert not [constant for constant in constants if constant not in source]


def test_what_a_seed_was_made_from_is_the_same_in_every_checkout(tmp_path):
    digests = []
    for name, code in (("here", "1"), ("there", "1"), ("changed", "2")):
        root = tmp_path / name
        for folder in ("helpers", "data", "notebooks"):
            (root / folder).mkdir(parents=True)
        (root / "helpers" / "a.py").write_text(code)
        (root / "requirements.txt").write_text("")
        path = root / "notebooks" / "01_a.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=notebook("x = 1")), path)
        plan = stability.Plan(root, "stability", 1, root / "build")
        digests.append(stability.digest([path], plan))
    assert digests[0] == digests[1] != digests[2]
