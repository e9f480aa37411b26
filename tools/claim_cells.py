"""Which statements of a notebook its claims rest on: those that write to the ledger, and all that these read."""

import ast
import builtins

MUTATORS = {"add", "append", "extend", "insert", "pop", "register", "record", "record_exact", "setdefault", "update"}


class Names(ast.NodeVisitor):
    """The global names that one statement binds, changes and reads, at once or later inside a function."""

    def __init__(self, statement):
        self.bound, self.changed, self.read, self.later = set(), set(), set(), set()
        self.local = []  # of comprehensions and lambdas
        self.visit(statement)
        simple = isinstance(statement, (ast.Assign, ast.Import, ast.ImportFrom, ast.FunctionDef))
        self.anew = self.bound - self.read if simple else set()  # whatever they were before

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
        if any(node.id in names for names in self.local):
            return
        if isinstance(node.ctx, ast.Store):
            self.bound.add(node.id)
        elif node.id not in self.bound:
            self.read.add(node.id)

    def _comprehension(self, node):
        targets = [part for generator in node.generators for part in ast.walk(generator.target)]
        self._within(node, {part.id for part in targets if isinstance(part, ast.Name)})

    def visit_Lambda(self, node):
        """Take the arguments as local, their defaults as read now."""
        self._within(node, {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)})

    def _within(self, node, names):
        self.local.append(names)
        self.generic_visit(node)
        self.local.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Assign(self, node):
        """Read the value before the targets are bound."""
        self.visit(node.value)
        for target in node.targets:
            self._target(target)

    def visit_For(self, node):
        """Read what is walked through before the target is bound; changing the target's parts changes it."""
        self.visit(node.iter)
        self._target(node.target)
        for part in (*node.body, *node.orelse):
            self.visit(part)
        if self.changed & {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}:
            self.changed |= {part.id for part in ast.walk(node.iter) if isinstance(part, ast.Name)}

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


def statements(source):
    """Yield the top-level statements of a cell, each with its lines of source."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
        yield node, "\n".join(lines[first - 1 : node.end_lineno])


def writes(text):
    """Return whether a statement's source names the ledger."""
    return ".ledger" in text


def reads(names, k):
    """Return what statement k reads, with what the functions defined before it read when they are called."""
    wanted, open_ones = set(), list(names[k].read | names[k].later)
    while open_ones:
        name = open_ones.pop()
        if name not in wanted:
            wanted.add(name)
            open_ones += [one for part in names[:k] if name in part.bound for one in part.later]
    return wanted


def needed(cells):
    """Return {position: source} of the code cells, cut down to what the ledger's entries in tagged cells need.

    A statement is wanted when it names the ledger, or calls a function that does, in a cell tagged `claim`; with it
    those that bind or change what it reads.
    """
    code = [(i, *part) for i, cell in enumerate(cells) if cell.cell_type == "code" for part in statements(cell.source)]
    names = [Names(node) for _, node, _ in code]
    known = set(dir(builtins))
    writers = {node.name for _, node, text in code if isinstance(node, ast.FunctionDef) and writes(text)}
    tagged = {i for i, cell in enumerate(cells) if "claim" in cell.metadata.get("tags", [])}
    found = set()
    open_ones = [k for k, (i, _, text) in enumerate(code) if i in tagged and (writes(text) or names[k].read & writers)]
    while open_ones:
        k = open_ones.pop()
        if k in found:
            continue
        found.add(k)
        for name in reads(names, k) - known:
            for j in range(k - 1, -1, -1):
                if name in names[j].changed or name in names[j].bound:
                    open_ones.append(j)
                if name in names[j].anew:
                    break
    kept = {}
    for k in sorted(found):
        kept.setdefault(code[k][0], []).append(code[k][2])
    return {i: "\n".join(parts) for i, parts in kept.items()}
