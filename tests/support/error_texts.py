"""The error messages of a package, found in its source by where they go and not by the names of helpers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# A shorter fixed part, such as a quotation mark, does not identify a message; the second where there is no longer one.
MIN_LENGTHS = (10, 5)


@dataclass(frozen=True)
class Message:
    """One message: where it is built, which error it goes into, and the first words that are the same each time."""

    where: str
    error: str
    opening: str


@dataclass(frozen=True)
class _Module:
    path: Path
    tree: ast.Module
    constants: dict[str, ast.expr]


@dataclass(frozen=True)
class _Place:
    """The argument of a function that goes into an error's message."""

    position: int
    keyword: str
    error: str
    module: _Module


@dataclass(frozen=True)
class _Text:
    """A fixed part of a message."""

    text: str


@dataclass(frozen=True)
class _Parameter:
    """A part of a message that the caller of a function passes."""

    name: str


def words(text: str) -> str:
    return re.sub(r"[`\s]+", " ", text).strip()


def messages(package: Path, errors: Iterable[str], left_out: Iterable[str] = ()) -> list[Message]:
    """Return the messages that go into the errors of these names, directly or through functions that build them.

    :param left_out: folders of the package that are not searched
    :raises AssertionError: a message has no fixed words, or a folder does not exist
    """
    for folder in left_out:
        assert (package / folder).is_dir(), f"{package / folder} does not exist"
    modules = [_read(path) for path in sorted(package.rglob("*.py"))]
    modules = [each for each in modules if not set(left_out) & set(each.path.relative_to(package).parts)]
    # Where a message is: in all arguments of an error, or in one of a function that passes it on.
    arguments: dict[str, _Place | None] = dict.fromkeys(errors)
    found: dict[Message, None] = {}
    while True:
        more: dict[str, _Place] = {}
        for module in modules:
            for function, call in _calls(module.tree):
                name = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
                if name not in arguments:
                    continue
                place = arguments[name]
                if place is not None and name.startswith("_") and place.module is not module:
                    continue
                error = name if place is None else place.error
                for origin, builder, given in _alternatives(modules, module, function, _given(call, place)):
                    opening, passed_on = _message(origin, builder, call, given)
                    found |= dict.fromkeys([Message(module.path.stem, error, opening)] if opening else [])
                    if builder is not None and passed_on:
                        more[builder.name] = _Place(*passed_on[0], error, origin)
        if more.keys() <= arguments.keys():
            return list(found)
        arguments |= more


def _read(path: Path) -> _Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                constants |= _imported(node.module, each.name)
    return _Module(path, tree, constants)


def _imported(module: str, name: str) -> dict[str, ast.expr]:
    """Return the constants of a module of texts, as they are named where it is imported."""
    for dotted, prefix in ((f"{module}.{name}", f"{name}."), (module, "")):
        path = Path(__file__).parents[2] / f"{dotted.replace('.', '/')}.py"
        if path.stem == "messages" and path.is_file():
            return {f"{prefix}{each}": value for each, value in _read(path).constants.items()}
    return {}


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _calls(tree: ast.AST, function: _Function | None = None) -> Iterator[tuple[_Function | None, ast.Call]]:
    """Yield each call with the innermost function that it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, node if isinstance(node, _Function) else function)


def _given(call: ast.Call, place: _Place | None) -> list[ast.expr]:
    """Return the arguments of a call that make up the message."""
    if place is None:
        return call.args
    named = [each.value for each in call.keywords if each.arg == place.keyword]
    return named or call.args[place.position : place.position + 1]


def _alternatives(
    modules: list[_Module], module: _Module, function: _Function | None, given: list[ast.expr]
) -> Iterator[tuple[_Module, _Function | None, list[ast.expr]]]:
    """Yield the messages that a call may have, with where they are built.

    A variable holds another message after each assignment, and a function returns others.
    """
    built: list[tuple[_Module, _Function | None, list[ast.expr]]] = []
    match given:
        case [ast.Name(id=name)] if function is not None:
            built = [(module, function, [each]) for each in _assigned(function, name)]
        case [ast.Call(func=ast.Name(id=name))]:
            built = [
                (each, node, [returned.value])
                for each in modules
                for node in ast.walk(each.tree)
                if isinstance(node, _Function) and node.name == name and (each is module or not name.startswith("_"))
                for returned in ast.walk(node)
                if isinstance(returned, ast.Return) and returned.value is not None
            ]
    yield from built or ([(module, function, given)] if given else [])


def _message(
    module: _Module, function: _Function | None, call: ast.Call, given: list[ast.expr]
) -> tuple[str, list[tuple[int, str]]]:
    """Return a message's opening, and the parameters of its function that are messages of their own."""
    parts = [part for each in given for part in _parts(module, function, each)]
    fixed = [(part, len(words(part.text).strip(" :;,()"))) for part in parts if isinstance(part, _Text)]
    texts = next(filter(None, ([part for part, length in fixed if length >= least] for least in MIN_LENGTHS)), [])
    passed_on = [
        part.name
        for before, part in zip([None, *parts], parts, strict=False)
        # What follows a colon is a message in a message: the cause, in words of its own.
        if isinstance(part, _Parameter) and (not texts or (isinstance(before, _Text) and before.text.endswith(": ")))
    ]
    opening = " ".join(words(texts[0].text).strip(" :;,()").split()[:4]).rstrip(" :;,(") if texts else ""
    where = f"{module.path.name}:{call.lineno}"
    assert texts or passed_on or _is_other_error(given[0]), f"{where}: the message has no fixed words"
    positions = [] if function is None else [each.arg for each in function.args.args if each.arg not in {"self", "cls"}]
    return opening, [(positions.index(name), name) for name in passed_on if name in positions]


def _is_other_error(argument: ast.expr) -> bool:
    """Whether the message is the whole text of another error, whose own text is looked at where it is made."""
    return isinstance(argument, ast.Call) and getattr(argument.func, "id", "") == "str"


def _parts(module: _Module, function: _Function | None, node: ast.expr) -> Iterator[_Text | _Parameter]:
    match node:
        case ast.Constant(value=str(text)):
            yield _Text(text)
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _parts(module, function, part)
        case ast.FormattedValue(value=value, conversion=-1):  # what has a conversion, such as !r, is a value
            yield from _parts(module, function, value)
        case ast.BinOp(left=left, right=right):
            yield from _parts(module, function, left)
            yield from _parts(module, function, right)
        case ast.IfExp(body=body, orelse=other):
            yield from _parts(module, function, body)
            yield from _parts(module, function, other)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            yield from _parts(module, function, value)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            yield from _parts_of_name(module, None, f"{owner}.{name}")
        case ast.Name(id=name):
            yield from _parts_of_name(module, function, name)


def _parts_of_name(module: _Module, function: _Function | None, name: str) -> Iterator[_Text | _Parameter]:
    if function is not None:
        if any(each.arg == name for each in function.args.args):
            yield _Parameter(name)
            return
        if assigned := list(_assigned(function, name)):
            for value in assigned:
                yield from _parts(module, None, value)
            return
    if name in module.constants:
        yield from _parts(module, None, module.constants[name])


def _assigned(function: _Function, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
                yield from (value for each, value in pairs if isinstance(each, ast.Name) and each.id == name)
