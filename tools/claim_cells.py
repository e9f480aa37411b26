"""Which cells of a notebook its claims rest on: those tagged `claim`, and all that these read."""

import ast
import builtins

MUTATORS = {"add", "append", "extend", "insert", "pop", "register", "record", "record_exact", "setdefault", "update"}
SCOPES = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Names(ast.NodeVisitor):
    """The global names that one cell binds, changes and reads, at once or later inside a function."""

    def __init__(self, source):
        self.bound, self.changed, self.read, self.later = set(), set(), set(), set()
        self.depth = 0
        self.visit(ast.parse(source))

    def visit_FunctionDef(self, node):
        """Bind the name; read defaults and decorators now, the body when it is called."""
        self.bound.add(node.name)
        for part in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(part)
        local = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        local |= {a.arg for a in (node.args.vararg, node.args.kwarg) if a}
        names = [part for statement in node.body for part in ast.walk(statement) if isinstance(part, ast.Name)]
        local |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        self.later |= {name.id for name in names if isinstance(name.ctx, ast.Load)} - local

    def visit_Name(self, node):
        """Tell reading from binding; what a comprehension binds is its own."""
        if isinstance(node.ctx, ast.Load):
            if node.id not in self.bound:
                self.read.add(node.id)
        elif not self.depth:
            self.bound.add(node.id)

    def _within(self, node):
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_Lambda = _within

    def visit_Assign(self, node):
        """Read the value before the targets are bound."""
        self.visit(node.value)
        for target in node.targets:
            self._target(target)

    def visit_For(self, node):
        """Read what is walked through before the target is bound."""
        self.visit(node.iter)
        self._target(node.target)
        for part in (*node.body, *node.orelse):
            self.visit(part)

    def visit_AugAssign(self, node):
        """Take `a += b` as reading and changing a."""
        self.visit(node.value)
        self._change(node.target)

    def visit_Delete(self, node):
        """Take `del a[k]` as changing a."""
        for target in node.targets:
            self._change(target)

    def visit_Import(self, node):
        """Bind the names of an import."""
        self.bound |= {(name.asname or name.name).split(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def visit_Call(self, node):
        """Take a method such as append as changing its object."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            self._change(node.func.value)
        self.generic_visit(node)

    def _target(self, target):
        if isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._target(part)
        elif isinstance(target, ast.Name):
            self.visit(target)
        else:
            self._change(target)

    def _change(self, target):
        self.generic_visit(target)
        while isinstance(target, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
            target = target.func if isinstance(target, ast.Call) else target.value
        if isinstance(target, ast.Name):
            self.changed.add(target.id)
            self.read.add(target.id)


def needed(cells):
    """Return the positions of the code cells that the cells tagged `claim` need, these included, in order."""
    code = {i: Names(cell.source) for i, cell in enumerate(cells) if cell.cell_type == "code"}
    known = set(dir(builtins))
    found, open_ones = set(), [i for i in code if "claim" in cells[i].metadata.get("tags", [])]
    while open_ones:
        i = open_ones.pop()
        if i in found:
            continue
        found.add(i)
        for name in (code[i].read | code[i].later) - known:
            for j in sorted((j for j in code if j < i), reverse=True):
                if name in code[j].changed or name in code[j].bound:
                    open_ones.append(j)
                if name in code[j].bound and name not in code[j].read:
                    break
    return sorted(found)
