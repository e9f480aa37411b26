import dataclasses
import json
import re

import pytest
import registered

from helpers.claims import registry
from helpers.claims.entries import NO_WORDING, Region
from helpers.claims.registry import RegistrationError


def load(folder, text, **files):
    registered.write(folder, text)
    for name, more in files.items():
        registered.write(folder, more, f"{name}.toml")
    return registry.load(folder)


@pytest.fixture
def found(tmp_path):
    return load(tmp_path, registered.everything(), controls=registered.CONTROLS)


def test_everything_that_is_registered_is_read(found):
    assert list(found.experiments) == ["world/longer", "world/second"]
    assert len(found.claims) == 6 and len(found.controls) == 1
    one = found.claims["keras-post/overfits"]
    assert one.lesson == "01_world" and one.role == "source" and one.in_lesson
    assert one.main[0].region == Region(at_least=0.2)
    assert one.main[0].gates[0].kind == "attainable"
    assert not found.claims["xor-thread/half"].in_lesson
    assert found.claims["generalization-thread/same"].withdrawn == "asked twice"


def test_a_setting_elsewhere_inherits_what_it_leaves_out(found):
    other = found.claims["keras-post/overfits"].elsewhere[0]
    assert (other.values, other.baseline, other.statistic) == ("late", "early", "mean difference")
    assert other.region == Region(at_least=0.05) and other.reason == "scale"
    assert other.gates[0].values == "gain"


def test_parts_inherit_from_the_claim_and_stand_in_every_setting(found):
    claim = found.claims["overfitting-blog/optimal"]
    ridge, spline = claim.quantities(claim.main[0])
    assert (ridge.name, ridge.values, ridge.baseline) == ("ridge", "ridge", "line")
    assert ridge.experiment == spline.experiment == "world/second"
    assert ridge.smallest == 0.2 and spline.pilot_sd == 1.5


def test_a_profile_chooses_recipe_and_n(found):
    one = found.experiments["world/longer"]
    assert one.recipe_for("full")["epochs"] == [200, 2000] and one.n_for("full") == 400
    assert one.recipe_for("quick") == {"epochs": [4, 8], "hidden": [64, 64], "rate": 0.001}
    assert one.n_for("quick") == 4


def test_files_of_all_lessons_are_one_registry(tmp_path):
    found = load(tmp_path, registered.EXPERIMENT, mine=registered.SECOND + registered.PARTS)
    assert found.claims["overfitting-blog/optimal"].lesson == registry.MINE


def test_an_empty_folder_registers_nothing(tmp_path):
    assert registry.load(tmp_path) == registry.Registry()


def test_a_setting_without_data_needs_others(tmp_path):
    text = registered.EXPERIMENT + registered.SECOND + registered.CLAIM
    missing = text.replace('experiment = "world/longer"', 'experiment = ""')
    assert load(tmp_path, missing).claims["keras-post/overfits"].main[0].experiment == ""
    with pytest.raises(RegistrationError, match="experiment"):
        load(tmp_path, re.sub(r"elsewhere = .*", "", missing))


# ---------------------------------------------------------------------------------------- refusals

BASE = registered.EXPERIMENT + registered.SECOND + registered.CLAIM


def changed(old, new, text=BASE):
    assert old in text
    return text.replace(old, new)


REFUSED = {
    "a key that is unknown": (changed("known =", "knwon ="), "knwon"),
    "a key that is missing": (changed('known = "nothing"\n', ""), "known"),
    "an empty statement": (re.sub(r'statement = ".*"', 'statement = " "', BASE), "statement"),
    "eleven words": (changed("begin to increase", "a b c d e f g h i j k"), "words"),
    "no words of a source": (changed('words = "begin to increase"\n', ""), "words"),
    "a role that is not known": (changed('source = "keras-post"', 'source = "some2019"'), "role"),
    "a source that is none": (
        changed('source = "keras-post"', 'source = "some2019"\nrole = "source"'),
        "source",
    ),
    "a kind that is none": (changed('kind = "estimate"', 'kind = "guess"'), "kind"),
    "a region without a reason": (
        changed('reason = "5 % of the noise variance"\n', ""),
        "reason",
    ),
    "a region elsewhere without a reason": (changed(', reason = "scale"', ""), "reason"),
    "an experiment that no file defines": (
        changed('experiment = "world/second"', 'experiment = "world/third"'),
        "experiment",
    ),
    "an experiment elsewhere only": (changed('\nexperiment = "world/longer"', ""), "experiment"),
    "another statistic elsewhere": (
        changed('name = "fifty inputs"', 'name = "fifty inputs", statistic = "ratio"'),
        "statistic",
    ),
    "another reference elsewhere": (
        changed('name = "fifty inputs"', 'name = "fifty inputs", reference = 0.5'),
        "reference",
    ),
    "a setting without a name": (changed('name = "fifty inputs", ', ""), "name"),
    "a statistic that is none": (changed('"mean difference"', '"median"'), "statistic"),
    "no statistic": (changed('statistic = "mean difference"\n', ""), "statistic"),
    "no baseline": (changed('baseline = "early"\n', ""), "baseline"),
    "a baseline of a mean": (changed('"mean difference"', '"mean"\nreference = 1.0'), "baseline"),
    "a mean without reference": (
        changed('baseline = "early"\nstatistic = "mean difference"', 'statistic = "mean"'),
        "region",
    ),
    "a reference of a difference": (changed("known =", "reference = 0.1\nknown ="), "region"),
    "no smallest effect": (changed("at_least = 0.2", "at_least = 0.0"), "region"),
    "a band without outer": (changed("at_least = 0.2", "between = [0.2, 0.4]"), "region"),
    "a band whose outer holds no effect": (
        changed("at_least = 0.2", "between = [0.2, 0.4], outer = [-0.1, 0.5]"),
        "region",
    ),
    "a band that begins at no effect": (
        changed("at_least = 0.2", "between = [0.0, 0.4]"),
        "region",
    ),
    "a band upside down": (changed("at_least = 0.2", "between = [0.4, 0.2]"), "region.between"),
    "two regions": (changed("at_least = 0.2", "at_least = 0.2, at_most = 0.4"), "region"),
    "an infinite edge": (changed("at_least = 0.2", "at_least = inf"), "region.at_least"),
    "a ratio of at most nothing": (
        changed('"mean difference"', '"ratio"', changed("at_least = 0.2", "at_most = 0.0")),
        "region",
    ),
    "an equivalence that nothing could miss": (
        changed('gates = [ { kind = "attainable", values = "gain" } ]\n', "").replace(
            "at_least = 0.2", "between = [-0.2, 0.2]"
        ),
        "gates",
    ),
    "a non-inferiority that nothing could miss": (
        changed('gates = [ { kind = "attainable", values = "gain" } ]\n', "").replace(
            "at_least = 0.2", "at_most = 0.2"
        ),
        "gates",
    ),
    "a gate of no kind": (changed('kind = "attainable"', 'kind = "hope"'), "gates[0].kind"),
    "a gate with a key of another": (
        changed('values = "gain"', 'values = "gain", first = "half"'),
        "gates[0].first",
    ),
    "a gate without values": (changed(', values = "gain"', ""), "gates[0].values"),
    "a gate on an experiment that is not there": (
        changed('values = "gain"', 'values = "gain", experiment = "world/none"'),
        "gates.experiment",
    ),
    "a reliability of a difference": (
        changed('kind = "attainable", values', 'kind = "reliability", first'),
        "gates",
    ),
    "a manipulation without a region": (changed('"attainable"', '"manipulation"'), "region"),
    "a unit that is none": (changed("known =", 'unit = "metres"\nknown ='), "unit"),
    "a unit of a ratio": (
        changed(
            '"mean difference"',
            '"ratio"\nunit = "share"',
            changed("at_least = 0.2", "at_least = 1.1"),
        ),
        "unit",
    ),
    "a lesson that is a text": (changed("known =", 'lesson = "no"\nknown ='), "lesson"),
    "an id with spaces": (changed('"keras-post/overfits"', '"keras-post/it overfits"'), "id"),
    "an experiment without n": (BASE.replace("n = 400\n", "", 1), "n"),
    "an experiment of one": (BASE.replace("n = 400\n", "n = 1\n", 1), "n"),
    "a quick key that is in no recipe": (
        BASE.replace("epochs = [4, 8]", "epoch = [4, 8]", 1),
        "quick.epoch",
    ),
    "a quick recipe without n": (BASE.replace("n = 4,", "", 1), "n"),
    "a date in a recipe": (BASE.replace("rate = 0.001", "rate = 2020-01-01", 1), "recipe.rate"),
    "more checked rows than rows": (BASE.replace("n_check = 20", "n_check = 401", 1), "n_check"),
    "a section that does not belong": (BASE + "[claims]\n", "claims"),
    "controls among claims": (BASE + registered.CONTROLS, "control"),
    "no TOML": ("[[claim]\n", "(all)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_mislead_is_refused(tmp_path, name):
    text, field = REFUSED[name]
    with pytest.raises(RegistrationError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.field.endswith(field) and error.file == "01_world.toml"
    for piece in ("must be", "Received:", error.entry, error.field):
        assert piece in str(error)


ELSEWHERE = 'elsewhere = [{name = "a", experiment = "world/second", values = "b"}]\n'


@pytest.mark.parametrize(
    "old, new, field",
    [
        ('statistic = "mean difference"', "", "parts[0].statistic"),
        ('name = "spline", values = "spline"', 'name = "ridge", values = "spline"', "parts"),
        (", region = { at_least = 0 } }", "}", "parts[0].region"),
        ('baseline = "line"', 'baseline = "line"\nvalues = "x"', "values"),
        ("smallest = 0.2", "", "parts[0].region"),
        ('known = "', ELSEWHERE + 'known = "', "elsewhere[0].values"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(tmp_path, old, new, field):
    text = registered.SECOND + registered.PARTS
    assert old in text
    with pytest.raises(RegistrationError) as caught:
        load(tmp_path, text.replace(old, new, 1))
    assert caught.value.field.endswith(field)


@pytest.mark.parametrize(
    "old, new, field",
    [
        ('verified = "is_bad_again"', 'statistic = "mean"', "statistic"),
        ('values = "largest_difference"', 'values = "d"\nstatistic = "mean"', "statistic"),
        ('values = "distance"', 'values = "distance"\nverified = "x"', "verified"),
        ("region = { at_most = 1.0 }", "region = { between = [0.5, 1.0] }", "region"),
        ('values = "distance"', 'values = "distance"\ngates = [{kind = "attainable", best = 1}]', "gates"),
        ('main = [ { name = "Keras", experiment = "world/longer" },', "main = [", "main"),
        ("between = [0.4, 0.6]", "between = [40, 60]", "region"),
        ("reference = 1.0", "", "region"),
    ],
)  # fmt: skip
def test_other_kinds_that_do_not_fit_are_refused(tmp_path, old, new, field):
    text = registered.EXPERIMENT + registered.SECOND + registered.OTHERS
    assert old in text
    with pytest.raises(RegistrationError) as caught:
        load(tmp_path, text.replace(old, new, 1))
    assert caught.value.field.endswith(field)


def test_an_id_twice_is_refused_over_all_files(tmp_path):
    with pytest.raises(RegistrationError, match="01_world"):
        load(tmp_path, BASE, **{"02_other": registered.EXPERIMENT})
    with pytest.raises(RegistrationError, match="01_world"):
        load(tmp_path, BASE, **{"02_other": registered.CLAIM})


@pytest.mark.parametrize(
    "old, new, field",
    [
        ("keras-post/overfits", "keras-post/other", "claim"),
        ('"cause"', '"reason"', "kind"),
        ("world/second", "world/third", "experiment"),
        ('baseline = "early_decayed"', "", "baseline"),
        ('baseline = "early_decayed"', 'baseline = "x"\npart = "ridge"', "part"),
    ],
)
def test_controls_that_do_not_fit_are_refused(tmp_path, old, new, field):
    with pytest.raises(RegistrationError) as caught:
        load(tmp_path, BASE, controls=registered.CONTROLS.replace(old, new))
    assert caught.value.field == field and caught.value.file == "controls.toml"


def share(n, region):
    text = registered.EXPERIMENT.replace("n = 400", f"n = {n}") + registered.CLAIM
    text = re.sub(r"(elsewhere|gates|baseline) = .*\n", "", text)
    text = text.replace('"mean difference"', '"proportion"\nreference = 0.5')
    return text.replace("{ at_least = 0.2 }", region)


@pytest.mark.parametrize(
    "n, region, right",
    [
        (300, "{ at_least = 0.95 }", True),
        (299, "{ at_least = 0.95 }", False),
        (299, "{ at_most = 0.05 }", False),
        (999, "{ at_least = 0.99 }", False),
        (1000, "{ at_least = 0.99 }", True),
        (20, "{ at_least = 0.75 }", True),
        (20, "{ at_least = 0.76 }", False),  # 20 of 20 reach 0.751
        (40, "{ between = [0.7, 0.8], outer = [0.6, 0.9] }", False),  # narrower than any interval
    ],
)
def test_a_share_that_n_could_never_show_is_refused(tmp_path, n, region, right):
    if right:
        assert len(load(tmp_path, share(n, region)).claims) == 1
    else:
        with pytest.raises(RegistrationError, match="n = "):
            load(tmp_path, share(n, region))


def test_a_manipulation_that_n_could_never_pass_is_refused(tmp_path):
    gate = '{ kind = "manipulation", values = "fit", statistic = "proportion", region = { at_least = 0.95 } }'
    text = changed('{ kind = "attainable", values = "gain" }', gate)
    assert len(load(tmp_path, text).claims) == 1
    with pytest.raises(RegistrationError, match=r"gates\.region"):
        load(tmp_path, text.replace("n = 400", "n = 100"))


def test_equivalences_need_a_rival_and_others_are_listed(tmp_path):
    found = load(tmp_path, registered.everything())
    assert registry.unguarded(found) == ["overfitting-blog/optimal", "xor-thread/half"]


# ------------------------------------------------------------------------------------------- seeds


def replaced(found, **claims):
    """Return a registry in which some claims are others."""
    new = {one.id: one for one in claims.values()}
    return dataclasses.replace(found, claims={**found.claims, **new})


def other(value):
    """Return a value of the same kind that differs."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, Region):
        return dataclasses.replace(value, at_least=(value.at_least or 0) + 0.01)
    return 0.5 if value is None else value + 1


LEAVES = ("main", "elsewhere", "parts", "gates")


def variants(claim):
    """Yield each field of a claim, of its settings, parts and gates, with the claim that differs in it."""
    for field in dataclasses.fields(claim):
        if field.name not in LEAVES:
            value = other(getattr(claim, field.name))
            yield field.name, dataclasses.replace(claim, **{field.name: value})
    for group in ("main", "elsewhere", "parts"):
        settings = getattr(claim, group)
        if not settings:
            continue
        for name, setting in inner(settings[0]):
            new = (setting, *settings[1:])
            yield f"{group}.{name}", dataclasses.replace(claim, **{group: new})


def inner(setting):
    for field in dataclasses.fields(setting):
        if field.name not in LEAVES and field.name != "experiment":
            value = other(getattr(setting, field.name))
            yield field.name, dataclasses.replace(setting, **{field.name: value})
    for field in dataclasses.fields(setting.gates[0]) if setting.gates else ():
        gate = setting.gates[0]
        value = other(getattr(gate, field.name))
        new = dataclasses.replace(gate, **{field.name: value})
        yield f"gates.{field.name}", dataclasses.replace(setting, gates=(new,))


@pytest.mark.parametrize("name", ["keras-post/overfits", "overfitting-blog/optimal"])
def test_a_testable_field_changes_the_seed_and_a_wording_does_not(found, name):
    claim = found.claims[name]
    experiment = claim.main[0].experiment
    before, seen = found.registration(experiment), set()
    for field, variant in variants(claim):
        if field == "id":
            continue
        after = replaced(found, one=variant).registration(experiment)
        wording = field.split(".")[-1] in NO_WORDING
        assert (after == before) == wording, field
        seen.add(field.split(".")[-1])
    expected = {"statement", "reason", "known", "words", "source", "role", "kind", "region"}
    assert expected <= seen


def test_what_may_be_mended_without_a_new_seed_is_what_the_rule_says():
    wordings = {"statement", "reason", "known", "question", "unit"}
    assert wordings | {"lesson", "in_lesson", "withdrawn", "pilot_sd"} == NO_WORDING


@pytest.mark.parametrize(
    "field, value, same",
    [
        ("n", 401, False),
        ("function", "world.other", False),
        ("recipe", {"epochs": [200, 2001]}, False),
        ("quick", {"n": 5}, True),
        ("n_check", 3, True),
        ("lesson", "07", True),
    ],
)
def test_recipe_function_and_n_are_in_the_seed_and_plans_are_not(found, field, value, same):
    one = dataclasses.replace(found.experiments["world/longer"], **{field: value})
    new = dataclasses.replace(found, experiments={**found.experiments, one.id: one})
    assert (new.seed(one.id) == found.seed(one.id)) == same


def test_order_of_keys_and_spelling_of_numbers_do_not_matter(tmp_path):
    one = load(tmp_path, BASE).seed("world/longer")
    text = changed(
        "recipe = { epochs = [200, 2000], hidden = [64, 64], rate = 0.001 }",
        "recipe = { rate = 1e-3, hidden = [64.0, 64], epochs = [200, 2_000] }",
    )
    text = changed("at_least = 0.2 }", "at_least = 0.20 }", text)
    assert load(tmp_path, text).seed("world/longer") == one


def test_a_default_that_is_written_out_does_not_matter(tmp_path):
    one = load(tmp_path, BASE).seed("world/longer")
    text = changed('name = "fifty inputs"', 'name = "fifty inputs", values = "late"')
    text = changed("known =", 'role = "source"\nlesson = true\nknown =', text)
    assert load(tmp_path, text).seed("world/longer") == one


def test_claims_elsewhere_and_in_gates_and_withdrawn_ones_are_in_the_seed(found):
    def names(experiment):
        return [claim.id for claim in found.claims_on(experiment)]

    assert names("world/longer") == ["keras-post/overfits", "xor-thread/half"]
    assert "keras-post/overfits" in names("world/second")  # it stands elsewhere there
    assert "generalization-thread/same" in names("world/second")  # withdrawn


def test_a_gate_from_another_experiment_is_in_that_ones_seed(tmp_path):
    text = changed('values = "gain"', 'values = "gain", experiment = "world/third"')
    text += registered.EXPERIMENT.replace("world/longer", "world/third")
    found = load(tmp_path, text)
    assert [one.id for one in found.claims_on("world/third")] == ["keras-post/overfits"]


def test_a_control_is_in_the_seed_of_its_own_experiment_only(tmp_path):
    one = load(tmp_path, BASE, controls=registered.CONTROLS)
    two = registry.load(
        registered.write(tmp_path, registered.CONTROLS.replace("late_d", "d"), "controls.toml")
    )
    assert one.seed("world/longer") == two.seed("world/longer")
    assert one.seed("world/second") != two.seed("world/second")


def test_seeds_differ_by_master_and_profile_and_have_63_bits(found):
    seeds = {found.seed("world/longer", m, p) for m in range(3) for p in ("full", "quick")}
    assert len(seeds) == 6 and all(0 <= one < 2**63 for one in seeds)
    with pytest.raises(ValueError, match="profile"):
        found.seed("world/longer", 0, "slow")
    with pytest.raises(KeyError, match="world/longer"):
        found.seed("world/none")


def test_a_seed_is_pinned(tmp_path):
    # Another algorithm would retire every stored replicate without a word.
    found = load(tmp_path, registered.EXPERIMENT)
    document = {
        "experiment": "world/longer",
        "function": "world.longer",
        "n": 400,
        "recipe": {"epochs": [200, 2000], "hidden": [64, 64], "rate": 0.001},
    }
    assert json.loads(registry.canonical(found.document("world/longer"))) == document
    assert found.registration("world/longer") == (
        "0edf660587482fa4967fbe224b5af8fdff62850ae39a307751ec338a0f483393"
    )


def test_changes_are_named_with_their_old_values(found):
    old = found.document("world/longer")
    claim = found.claims["keras-post/overfits"]
    main = dataclasses.replace(claim.main[0], region=Region(at_least=0.3))
    new = replaced(found, one=dataclasses.replace(claim, main=(main,))).document("world/longer")
    assert registry.changed(old, new) == ["claims[0].main[0].region.at_least was 0.2"]
    wording = found.wording("world/longer")["keras-post/overfits"]
    assert wording["reason"] == "5 % of the noise variance"
