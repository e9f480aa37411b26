"""Nobody adds to a seed: neighbouring master seeds would share random numbers."""

import ast
import pathlib

import nbformat

ROOT = pathlib.Path(__file__).parents[1]


def called(node):
    """Return how a name or attribute is called, in lower case; nothing for any other expression."""
    if isinstance(node, ast.Name):
        return node.id.lower()
    return node.attr.lower() if isinstance(node, ast.Attribute) else ""


def is_number(node):
    """Whether an expression is made of numbers alone, such as 1, -1 or 10**12."""
    nodes = list(ast.walk(node))
    constants = [one for one in nodes if isinstance(one, ast.Constant)]
    allowed = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    return bool(constants) and all(
        isinstance(one, allowed) and isinstance(getattr(one, "value", 0), int) for one in nodes
    )


def shifted_seeds(source):
    """Return the lines on which a whole number is added to a seed or taken from it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            pairs = [(node.left, node.right), (node.right, node.left)]
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
            pairs = [(node.target, node.value)]
        else:
            continue
        if any("seed" in called(one) and is_number(other) for one, other in pairs):
            found.append(node.lineno)
    return found


def test_shifted_seeds_are_seen():
    bad = ["SEED + 1", "1 + seed", "self.seed - 2", "10**12 + MY_SEED", "seed += 1", "f(seed + -1)"]
    good = ["seeds.integer(seed, 'a', 1)", "seed + offset", "len(SEEDS) * 2", "seeds[0] + 1", "x+1"]
    assert [shifted_seeds(source) for source in bad] == [[1]] * len(bad)
    assert [shifted_seeds(source) for source in good] == [[]] * len(good)


def lessons():
    """Return the lessons of the second edition: those with registrations, and the one on method."""
    paths = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [p for p in paths if p.stem[:2] == "00" or (ROOT / f"claims/{p.stem}.toml").exists()]


def test_no_experiment_lesson_or_tool_adds_to_a_seed():
    sources = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in ("helpers/experiments", "tools")
        for path in (ROOT / folder).rglob("*.py")
    }
    for path in lessons():
        cells = nbformat.read(path, as_version=4).cells
        for cell in (cell for cell in cells if cell.cell_type == "code"):
            sources[f"{path.stem} {cell.id}"] = cell.source
    found = {name: lines for name, source in sources.items() if (lines := shifted_seeds(source))}
    assert not found, "derive another seed: seeds.integer(seed, 'what it is for')"
