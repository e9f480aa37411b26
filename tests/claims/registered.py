"""Registrations that tests share, as the text of TOML files."""

EXPERIMENT = """
[experiment."world/longer"]
function = "world.longer"
n = 400
recipe = { epochs = [200, 2000], hidden = [64, 64], rate = 0.001 }
quick = { n = 4, epochs = [4, 8] }
n_check = 20
"""

SECOND = EXPERIMENT.replace("world/longer", "world/second")

CLAIM = """
[[claim]]
id = "keras-post/overfits"
kind = "estimate"
source = "keras-post"
words = "begin to increase"
statement = "Training on raises the error by 0.2 or more."
experiment = "world/longer"
values = "late"
baseline = "early"
statistic = "mean difference"
region = { at_least = 0.2 }
reason = "5 % of the noise variance"
known = "nothing"
gates = [ { kind = "attainable", values = "gain" } ]
elsewhere = [ { name = "fifty inputs", experiment = "world/second", region = { at_least = 0.05 }, reason = "scale" } ]
"""

PARTS = """
[[claim]]
id = "overfitting-blog/optimal"
kind = "estimate"
source = "overfitting-blog"
words = "optimal for"
statement = "Each rival is worse than least squares, and most sets agree."
experiment = "world/second"
baseline = "line"
statistic = "mean difference"
smallest = 0.2
reason = "any size"
known = "pilot, n = 40: 0.3"
parts = [
  { name = "ridge", values = "ridge", region = { at_least = 0 } },
  { name = "spline", values = "spline", region = { at_least = 0 }, pilot_sd = 1.5 },
]
"""

OTHERS = """
[[claim]]
id = "huang-summary/bad-minima-exist"
kind = "existence"
source = "huang-summary"
words = "there are bad minima"
statement = "There is a bad minimum."
experiment = "world/second"
values = "is_bad"
verified = "is_bad_again"
known = "nothing"

[[claim]]
id = "generalization-thread/same"
kind = "exact"
source = "generalization-thread"
words = "the same"
statement = "Both programs agree."
experiment = "world/second"
values = "largest_difference"
region = { at_most = 1e-5 }
reason = "float32 after 100 steps"
known = "nothing"
withdrawn = "asked twice"

[[claim]]
id = "huang2019/near"
kind = "bound"
source = "huang2019"
role = "literature"
words = "nearby"
statement = "Bad minima lie within one length."
experiment = "world/second"
values = "distance"
region = { at_most = 1.0 }
reason = "the length of the way"
known = "nothing"

[[claim]]
id = "xor-thread/half"
kind = "estimate"
source = "xor-thread"
words = "around half"
statement = "Around half of the networks converge."
main = [ { name = "Keras", experiment = "world/longer" }, { name = "PyTorch", experiment = "world/second" } ]
values = "converged"
statistic = "proportion"
reference = 1.0
region = { between = [0.4, 0.6], outer = [0.25, 0.75] }
reason = "the list of words"
known = "nothing"
lesson = false
"""

CONTROLS = """
[[control]]
claim = "keras-post/overfits"
kind = "cause"
experiment = "world/second"
values = "late_decayed"
baseline = "early_decayed"
"""


def write(folder, text, name="01_world.toml"):
    """Write a registration file and return its folder."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def everything():
    """Return all of the above as one file."""
    return EXPERIMENT + SECOND + CLAIM + PARTS + OTHERS
