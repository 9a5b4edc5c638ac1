"""One file out of many: the definitions of this package that a text needs, in one namespace.

A statement at the top of a module is kept if a name that it binds is looked up by a kept one.
Imports from this package go away; a name that two modules define gets the module's in front.
"""

import ast
import builtins
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from importlib.abc import InspectLoader

from eznas.proxies.export.names import bound, module_names

PACKAGE = "eznas"
PRIMITIVES = "eznas.primitives"  # whose functions are registered by their names
Key = tuple[str, str]  # a module, and a name in it
Reference = tuple[ast.Name | ast.Attribute, Key]


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at the top of a module; `first`: the number of its first line, with the comment
    above it and its decorators."""

    module: str
    node: ast.stmt
    first: int

    @cached_property
    def names(self) -> list[ast.Name]:
        """The names in it that are looked up, or bound, in the module."""
        return module_names(self.node)


class Module:
    """The source of a module: its statements, and where the names that it imports come from."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.lines = name, source.splitlines()
        self.statements: list[Statement] = []
        self.imports: dict[str, Key] = {}  # name here -> module, name there ("": the module itself)
        body, previous = ast.parse(source).body, 0
        for node in body:
            if isinstance(node, ast.Import):
                self.imports |= {(a.asname or a.name): (a.name, "") for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.imports |= {
                    (a.asname or a.name): (str(node.module), a.name) for a in node.names
                }
            elif not isinstance(node, ast.If | ast.Expr):  # TYPE_CHECKING, the docstring
                self.statements.append(Statement(name, node, self._first(node, previous)))
            previous = node.end_lineno or 0

    def _first(self, node: ast.stmt, previous: int) -> int:
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        while first - 1 > previous and self.lines[first - 2].startswith("#"):
            first -= 1
        return first

    @cached_property
    def bindings(self) -> dict[str, list[Statement]]:
        """The statements that bind a name, by names."""
        bindings: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in bound([statement.node]):
                bindings.setdefault(name, []).append(statement)
        return bindings


class Bundle:
    """What a text needs of this package.

    `texts`: modules that are given as text, by name; all of the last one is kept. `instead`: names
    in whose place another is taken. `more`: names that are kept although no one looks them up.
    """

    def __init__(
        self, texts: Mapping[str, str], instead: Mapping[Key, Key], more: Iterable[Key]
    ) -> None:
        self._modules = {name: Module(name, text) for name, text in texts.items()}
        self._instead = instead
        self._kept: dict[Statement, list[Reference]] = {}  # with what they refer to
        self._external: dict[str, Key] = {}
        self._spelt: dict[Key, str] = {}  # names that are spelt in another way
        self._given, self._last = set(texts), [*texts][-1]
        for key in more:
            self._keep(self._resolved(*key))
        for statement in self._modules[self._last].statements:
            self._add(statement)
        self._spell()

    def text(self) -> str:
        """The kept statements in an order in which they can run, below their imports."""
        parts = ["\n".join(self._import_lines())]
        for module in self._order():
            statements = [s for s in self._kept if s.module == module.name]
            statements.sort(key=lambda s: s.first)
            origin = f"# From {module.name.replace('.', '/')}.py"
            parts.append("" if module.name in self._given else f"\n\n{origin}\n")
            for before, statement in zip([None, *statements], statements, strict=False):
                gap = "\n\n" if _is_block(statement) or (before and _is_block(before)) else ""
                parts.append(gap + self._rewritten(module, statement))
        return "\n".join(parts).strip() + "\n"

    def _module(self, name: str) -> Module:
        return self._modules[name] if name in self._modules else _read(name)

    def _resolved(self, module: str, name: str) -> Key | None:
        """Where a name of a module of this package is defined: (module, "") where it is a module
        itself, (name of another package, ...) where it comes from elsewhere; None for a name that
        is built in."""
        if (module, name) in self._instead:
            return self._resolved(*self._instead[module, name])
        source = self._module(module)
        if name in source.imports:
            origin, original = source.imports[name]
            if not _is_ours(origin) or not original:
                return origin, original
            deeper = f"{origin}.{original}"
            is_defined = self._is_defined(origin, original)
            if not is_defined and (deeper in self._given or _is_module(deeper)):
                return deeper, ""
            return self._resolved(origin, original)
        return (module, name) if name in source.bindings else None

    def _is_defined(self, module: str, name: str) -> bool:
        source = self._module(module)
        imported = source.imports.get(name, ("", ""))
        return name in source.bindings or imported[0] not in ("", module)

    def _keep(self, key: Key | None) -> None:
        if key is not None and _is_ours(key[0]) and key[1]:
            for statement in self._module(key[0]).bindings[key[1]]:
                self._add(statement)

    def _add(self, statement: Statement) -> None:
        if statement in self._kept:
            return
        self._kept[statement] = [*self._references(statement)]
        for reference, key in self._kept[statement]:
            if _is_ours(key[0]):
                self._keep(key)
            else:
                name = reference.id if isinstance(reference, ast.Name) else ""
                assert self._external.setdefault(name, key) == key, f"{name}: two imports"

    def _references(self, statement: Statement) -> Iterator[Reference]:
        """The names in a statement that are defined or imported, and what they name; a name in a
        module that was imported as a whole counts as one."""
        attributes = {
            id(node.value): node
            for node in ast.walk(statement.node)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        for name in statement.names:
            key = self._resolved(statement.module, name.id)
            if key is not None and _is_ours(key[0]) and not key[1]:
                attribute = attributes[id(name)]
                inside = self._resolved(key[0], attribute.attr)
                assert inside is not None
                yield attribute, inside
            elif key is not None:
                yield name, key

    def _spell(self) -> None:
        """Find other spellings for names that are taken: by the primitives, which are registered by
        their names, then by imports, then by the modules in order."""
        modules = sorted(
            {s.module for s in self._kept}, key=lambda m: (not m.startswith(PRIMITIVES), m)
        )
        lines = (line for m in modules for line in self._module(m).lines)
        words = {word for line in lines for word in re.findall(r"\w+", line)}
        through_modules = {
            key
            for references in self._kept.values()
            for reference, key in references
            if isinstance(reference, ast.Attribute)
        }
        defined: dict[Key, str] = {}
        for module in modules:
            kept = [s.node for s in self._module(module).statements if s in self._kept]
            defined |= {(module, name): name for name in sorted(bound(kept))}
        names = {key: name for key, name in defined.items() if key[0].startswith(PRIMITIVES)}
        names |= {key: name for name, key in self._external.items()} | defined
        taken = {*dir(builtins)}
        for key, name in names.items():
            if name in taken or key in through_modules:
                stem = key[0].rpartition(".")[2]
                spelling = f"_{stem}{name}" if name.startswith("_") else f"{stem}_{name}"
                while spelling in words:
                    spelling += "_"
                self._spelt[key] = spelling
                words.add(spelling)
            taken.add(name)

    def _order(self) -> list[Module]:
        graph: dict[str, set[str]] = {s.module: set() for s in self._kept}
        for statement, references in self._kept.items():
            needed = {key[0] for _, key in references}
            graph[statement.module] |= {m for m in needed if m in graph and m != statement.module}
        graph[self._last] = {*graph} - {self._last}
        return [self._module(name) for name in TopologicalSorter(graph).static_order()]

    def _rewritten(self, module: Module, statement: Statement) -> str:
        """The text of a statement with names as they are spelt in the file."""
        last = statement.node.end_lineno or 0
        lines = [line.encode() for line in module.lines[statement.first - 1 : last]]
        respelt = any(module.name == key[0] for key in self._spelt)
        edits = [(r, self._spelling(r, key)) for r, key in self._kept[statement]]
        spans = [(r.lineno, r.col_offset, r.end_col_offset or 0, text) for r, text in edits if text]
        spans += set(self._other_places(module, statement)) if respelt else set()
        for line, start, end, text in sorted(spans, reverse=True):
            row = line - statement.first
            assert text.encode() != lines[row][start:end]
            lines[row] = lines[row][:start] + text.encode() + lines[row][end:]
        return "\n".join(line.decode() for line in lines)

    def _spelling(self, reference: ast.Name | ast.Attribute, key: Key) -> str:
        """How a reference is spelt in the file; "" where that is as it stands."""
        if key not in self._spelt and not _is_ours(key[0]):
            return ""
        spelling = self._spelt.get(key, key[1])
        is_same = isinstance(reference, ast.Name) and reference.id == spelling
        return "" if is_same else spelling

    def _other_places(
        self, module: Module, statement: Statement
    ) -> Iterator[tuple[int, int, int, str]]:
        """Where else a name that is spelt in another way stands: as that of a function or a class,
        and where a function says that it is global."""
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Global):
                names = node.names
            elif node is statement.node and isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            else:
                continue
            for name in names:
                if spelling := self._spelt.get((module.name, name)):
                    start = module.lines[node.lineno - 1].index(f" {name}") + 1
                    yield node.lineno, start, start + len(name), spelling

    def _import_lines(self) -> list[str]:
        """The imports of other packages, one line each."""
        whole, parts = [], dict[str, list[str]]()
        for name, (module, original) in self._external.items():
            name = self._spelt.get((module, original), name)
            if original:
                alias = original if original == name else f"{original} as {name}"
                parts.setdefault(module, []).append(alias)
            else:
                whole.append(f"import {module}" + ("" if module == name else f" as {name}"))
        lines = sorted(whole)
        return lines + [f"from {m} import {', '.join(sorted(parts[m]))}" for m in sorted(parts)]


def _is_block(statement: Statement) -> bool:
    return isinstance(statement.node, ast.FunctionDef | ast.ClassDef)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == PACKAGE


@cache
def _read(module: str) -> Module:
    """A module of this package, wherever it was imported from."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    return Module(module, spec.loader.get_source(module) or "")


@cache
def _is_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
