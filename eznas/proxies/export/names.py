"""Which names of a piece of source are those of its module, and where they stand."""

import ast
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def module_names(node: ast.AST) -> list[ast.Name]:
    """The names in a statement at the top of a module that are looked up, or bound, there: not in a
    function, a class or a comprehension."""
    visitor = _ModuleNames()
    visitor.visit(node)
    return visitor.names


def bound(statements: Sequence[ast.AST]) -> set[str]:
    """The names that statements bind in their own scope."""
    return {name for statement in statements for name in _bound(statement)}


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    if isinstance(node, _SCOPES):
        return
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, _COMPREHENSIONS) and isinstance(child, ast.comprehension)):
            yield from _bound(child)


class _ModuleNames(ast.NodeVisitor):
    """Collects names; `_scopes`: what the functions and comprehensions around a node bind, with the
    class around it, if any, at the end."""

    def __init__(self) -> None:
        self.names: list[ast.Name] = []
        self._scopes: list[set[str]] = []
        self._in_class = False

    def visit_Name(self, node: ast.Name) -> None:
        if not any(node.id in scope for scope in self._scopes):
            self.names.append(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node, [*node.decorator_list, node.returns], node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node, [*node.decorator_list, node.returns], node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [], [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit([*node.decorator_list, *node.bases, *node.keywords])
        self._within(bound(node.body), node.body, is_class=True)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: Comprehension) -> None:
        self._visit([node.generators[0].iter])  # runs outside
        targets = bound([generator.target for generator in node.generators])
        self._within(targets, [*ast.iter_child_nodes(node)], is_class=False)

    def _function(
        self, node: Function, outside: Sequence[ast.AST | None], body: Sequence[ast.AST]
    ) -> None:
        parameters = [
            *(*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs),
            *filter(None, (node.args.vararg, node.args.kwarg)),
        ]
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        self._visit([*outside, *defaults, *(p.annotation for p in parameters)])
        shared = {
            name
            for statement in body
            for inner in ast.walk(statement)
            if isinstance(inner, ast.Global)
            for name in inner.names
        }
        own = {p.arg for p in parameters} | (bound(body) - shared)
        self._within(own, body, is_class=False)

    def _within(self, names: set[str], nodes: Sequence[ast.AST], is_class: bool) -> None:
        scopes, in_class = self._scopes, self._in_class
        visible = scopes[:-1] if in_class else scopes  # functions do not see the class around them
        self._scopes, self._in_class = [*visible, names], is_class
        self._visit(nodes)
        self._scopes, self._in_class = scopes, in_class

    def _visit(self, nodes: Sequence[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)
