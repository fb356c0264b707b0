#!/usr/bin/env python3.12
"""Move a clone of the project to the target layout and names. Run: python3.12 rename.py CLONE [--no-check].

Needs Python >= 3.12 (its tokenizer looks into f-strings). Start from a clean tree in the old layout.
The tables are in rename_tables.py beside this file; files that are copied in are in rename-files/.
"""
from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import rename_tables as T

assert sys.version_info >= (3, 12), "run it with Python 3.12 or later"
ROOT = Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ".").resolve()
PKG = "airflow_provider_kapture"
TOPS = (PKG, "tests", "docs", "example_dags", "benchmarks", "scripts", "noxfile.py")
NOTES: list[str] = []


def note(text: str) -> None:
    if text not in NOTES:
        NOTES.append(text)


def git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def python_files() -> list[Path]:
    found = []
    for line in git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if line.endswith(".py") and line.split("/")[0] in TOPS and (ROOT / line).exists():
            found.append(ROOT / line)
    return sorted(found)


def module_of(path: Path) -> str | None:
    """Dotted name of a file of the package."""
    rel = path.relative_to(ROOT)
    if rel.parts[0] != PKG:
        return None
    parts = list(rel.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def path_of(module: str) -> Path:
    plain = ROOT / Path(*module.split("."))
    return plain / "__init__.py" if plain.is_dir() else plain.with_suffix(".py")


# -- what there is --


def top_names(tree: ast.Module) -> list[str]:
    found = []
    body = list(tree.body)
    for node in list(body):
        if isinstance(node, ast.If):
            body += node.body
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                found += [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
    return found


MODULES: dict[str, set[str]] = {}
REEXPORTS: dict[tuple[str, str], tuple[str, str]] = {}


def survey() -> None:
    MODULES.clear()
    REEXPORTS.clear()
    for path in python_files():
        module = module_of(path)
        if module is None:
            continue
        tree = ast.parse(path.read_text())
        MODULES[module] = set(top_names(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PKG):
                for alias in node.names:
                    REEXPORTS[module, alias.asname or alias.name] = (node.module, alias.name)


def home(module: str, name: str, depth: int = 0) -> str:
    """Where a name that is imported from a module is defined."""
    if name in MODULES.get(module, ()) or depth > 5:
        return module
    source = REEXPORTS.get((module, name))
    if source is None or path_of(module).name == "__init__.py":
        return module
    if f"{source[0]}.{source[1]}" in MODULES:
        return module
    return home(source[0], source[1], depth + 1)


RENAMED: dict[tuple[str, str], str] = {}  # (old module, old name) -> new name


def bind_tables() -> None:
    for module, names in T.NAMES.items():
        full = f"{PKG}.{module}"
        for old, new in names.items():
            if old in MODULES.get(full, ()):
                RENAMED[full, old] = new
                continue
            if full in MODULES and new in MODULES[full]:
                continue  # done already
            where = [each for each, found in MODULES.items() if old in found and f"{each[len(PKG) + 1:]}" not in T.NAMES]
            where = [each for each in where if each.rpartition(".")[0] == full.rpartition(".")[0]] or where
            if len(where) == 1 and not old.startswith("__") and len(old) > 4:
                RENAMED[where[0], old] = new
                note(f"table: {module}.{old} was found in {where[0]}")
            elif full in MODULES or not where:
                note(f"table: {module}.{old} is not there any more")
    for module, names in MODULES.items():
        for old in names:
            if (module, old) in RENAMED:
                continue
            new = generic(old)
            if new != old:
                RENAMED[module, old] = new


def generic(name: str) -> str:
    for pattern, new in T.GENERIC:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, new, name)
    return name


MOVED: dict[str, str] = {}  # old module -> new module (default target)


def bind_moves() -> None:
    for old, new in T.MOVES.items():
        if f"{PKG}.{old}" in MODULES:
            MOVED[f"{PKG}.{old}"] = f"{PKG}.{new}"
    for old in T.NEW_FILES:
        if f"{PKG}.{old}" in MODULES:
            MOVED[f"{PKG}.{old}"] = f"{PKG}.{T.NEW_FILES[old]}"


def new_home(module: str, new_name: str) -> str:
    """The new module of a name (by its new name) of an old module."""
    short = module[len(PKG) + 1 :]
    for target, names in T.SPLITS.get(short, {}).items():
        if new_name in names:
            return f"{PKG}.{target}"
    return MOVED.get(module, module)


# -- paths in strings, comments and documents --

DOTTED = re.compile(rf"\b{PKG}((?:\.[A-Za-z_]\w*)+)")


def new_dotted(text: str) -> str:
    def repl(found: re.Match[str]) -> str:
        parts = [PKG, *found[1].strip(".").split(".")]
        for size in range(len(parts), 0, -1):
            module = ".".join(parts[:size])
            if module in MODULES:
                rest = parts[size:]
                if not rest:
                    return MOVED.get(module, module)
                where = home(module, rest[0])
                name = RENAMED.get((where, rest[0]), rest[0])
                place = new_home(where, name) if where != module or path_of(module).name != "__init__.py" else module
                rest = [name, *(T.MEMBERS_BY_NAME.get((rest[0], each), each) for each in rest[1:])]
                return ".".join([place, *rest])
        return found[0]

    return DOTTED.sub(repl, text)


def file_moves() -> dict[str, str]:
    found = {}
    for old, new in MOVED.items():
        if path_of(old).name == "__init__.py":
            continue
        found[str(path_of(old).relative_to(ROOT))] = str(Path(*new.split(".")).with_suffix(".py"))
    for old, new in T.TEST_MOVES.items():
        if (ROOT / old).exists() and not (ROOT / new).exists():
            found[old] = new
        elif (ROOT / old).exists():
            note(f"tests: {new} exists, so {old} was not moved")
    return found


# -- phase A: identifiers --


def find_scopes(tree: ast.Module) -> list[tuple[int, int, str, str]]:
    """(first line, last line, kind, qualified name), outer first."""
    found = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                kind = "class" if isinstance(child, ast.ClassDef) else "def"
                found.append((child.lineno, child.end_lineno or child.lineno, kind, name))
                visit(child, f"{name}.")
            else:
                visit(child, prefix)

    visit(tree, "")
    return found


def enclosing(tree: ast.Module, statement: ast.AST) -> tuple[int, int]:
    """The lines of the innermost function around a statement, or all lines."""
    found = (1, 1 << 30)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.lineno <= statement.lineno <= node.end_lineno and node.lineno > found[0]:
                found = (node.lineno, node.end_lineno)
    return found


def bound_names(tree: ast.Module) -> list[tuple[int, int, set[str]]]:
    """Functions, each with the names of its arguments and variables."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        a = node.args
        names = {each.arg for each in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if each}
        body = node.body if isinstance(node.body, list) else [node.body]
        for statement in body:
            for each in ast.walk(statement):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                    names.add(each.id)
        first = body[0].lineno if isinstance(node, ast.Lambda) else node.lineno
        found.append((first, node.end_lineno, names))
    return found


def offsets(text: str) -> list[int]:
    starts, at = [0], 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        starts.append(at)
    return starts


def rules_for(path: Path, *, exact: bool = False) -> dict[str, str]:
    rel = str(path.relative_to(ROOT))
    found: dict[str, str] = {}
    for pattern, names in T.IN_FILES.items():
        if pattern.endswith("/"):
            is_match = not exact and rel.startswith((pattern, f"{PKG}/{pattern}"))
        else:
            is_match = rel in (pattern, f"{PKG}/{pattern}")
        if is_match:
            found |= names
    return found


SUPPORT = {path.stem for folder in ("tests/support", "tests/distributed", "scripts") for path in (ROOT / folder).glob("*.py")}


def rename_in(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    module = module_of(path)
    names: dict[str, str] = {}  # bare names by import or definition
    visible: dict[str, list[tuple[int, int]]] = defaultdict(list)  # the lines where they mean that
    bound = bound_names(tree)
    aliases: dict[str, str] = {}  # names of imported modules -> old module
    if module is not None:
        for name in MODULES[module]:
            new = RENAMED.get((module, name))
            if new:
                names[name] = new
                visible[name].append((1, 1 << 30))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PKG):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in MODULES:
                    aliases[alias.asname or alias.name] = full
                    continue
                new = RENAMED.get((home(node.module, alias.name), alias.name))
                if new and alias.asname is None:
                    names[alias.name] = new
                    visible[alias.name].append(enclosing(tree, node))
    local = rules_for(path)
    exact = rules_for(path, exact=True)
    fixed = set(MODULES.get(module or "", ())) | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PKG)
        for alias in node.names
    }
    keywords = {}  # (line, column) -> name of the called function
    class_keywords = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            func = node.func
            called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            for each in node.keywords:
                if each.arg:
                    keywords[each.lineno, each.col_offset] = called
        elif isinstance(node, ast.ClassDef):
            class_keywords |= {(each.lineno, each.col_offset) for each in node.keywords}
    parameters = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("parametrize", "usefixtures", "getfixturevalue"):
            for argument in node.args[:1] if node.func.attr == "parametrize" else node.args:
                parameters |= {
                    (each.lineno, each.col_offset) for each in ast.walk(argument) if isinstance(each, ast.Constant)
                }
    scopes = find_scopes(tree)
    starts = offsets(text)
    lines = text.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    code = [each for each in tokens if each.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)]
    edits: list[tuple[int, int, str]] = []
    present = {each.string for each in code if each.type == tokenize.NAME}

    def column(line: int, col: int) -> int:  # ast counts bytes
        return len(lines[line - 1][:col].encode())

    bare_at = [
        (each.start[0], each.string)
        for at, each in enumerate(code)
        if each.type == tokenize.NAME and (not at or code[at - 1].string != ".") and (at + 1 >= len(code) or code[at + 1].string != "=" or not keywords.get((each.start[0], each.start[1])))
    ]

    def collides(index: int, new: str) -> None:
        if code[index - 1].string == "." or new not in present:
            return
        line = code[index].start[0]
        inside = [each for each in scopes if each[0] <= line <= each[1] and each[2] == "def"]
        if (line, column(*code[index].start)) in keywords or not inside:
            return
        first, last, _, function = inside[-1]
        if any(first <= at <= last and name == new for at, name in bare_at):
            note(f"collision? {path.relative_to(ROOT)} {function}: {code[index].string} -> {new}, which is there too")

    import_spans = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    ]

    def new_name(index: int) -> str | None:
        token = code[index]
        name = token.string
        before = code[index - 1].string if index else ""
        line = token.start[0]
        inside = [each for each in scopes if each[0] <= line <= each[1]]
        functions = [each[3] for each in inside if each[2] == "def"]
        classes = [each[3] for each in inside if each[2] == "class"]
        in_import = any(first <= line <= last for first, last in import_spans)
        if in_import:
            statement = next(n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom | ast.Import) and n.lineno <= line <= n.end_lineno)
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(PKG):
                for alias in statement.names:
                    if (alias.lineno, alias.col_offset) == (line, column(*token.start)) and alias.name == name:
                        return RENAMED.get((home(statement.module, name), name))
            elif isinstance(statement, ast.ImportFrom) and statement.module in SUPPORT and before != "from":
                return local.get(name) or T.EVERYWHERE.get(name)
            return None
        if before == ".":
            receiver = code[index - 2].string if index > 1 else ""
            if receiver in aliases:
                where = home(aliases[receiver], name)
                return RENAMED.get((where, name))
            for cls, old, new, pattern in T.MEMBERS:
                if old == name:
                    if receiver in ("self", "cls") and classes and classes[-1].split(".")[-1] in (cls, *T.SUBCLASSES.get(cls, ())):
                        return new
                    if receiver not in ("self", "cls") and pattern and re.fullmatch(pattern, receiver):
                        return new
            if name in T.EVERYWHERE:
                return T.EVERYWHERE[name]
            if name.startswith("_") and name in local:
                return local[name]
            if f".{name}" in local:
                return local[f".{name}"]
            return None
        spot = (line, column(*token.start))
        if spot in class_keywords:
            return None
        if spot in keywords:
            called = keywords[spot]
            for pattern, old, new in T.KEYWORDS:
                if old == name and re.fullmatch(pattern, called):
                    return new
            if name in T.EVERYWHERE:
                return T.EVERYWHERE[name]
            return local.get(name) if name in local and called not in T.FOREIGN_CALLS else None
        # A definition within a class.
        own = next((each[3] for each in inside if each[0] == line and each[3].split(".")[-1] == name), "") if before == "def" else ""
        if before == "def":
            own = inside[-1][3] if inside and inside[-1][3].split(".")[-1] == name else own
        is_method = before == "def" and own.rpartition(".")[0] in classes
        if classes and (is_method or not functions):
            owner = classes[-1].split(".")[-1]
            direct = [each for each in inside][-1]
            if is_method or direct[2] == "class":
                for cls, old, new, _ in T.MEMBERS:
                    if old == name and owner in (cls, *T.SUBCLASSES.get(cls, ())):
                        return new
                if is_method and not (name.startswith("_") and name in local) and name not in T.EVERYWHERE:
                    return local.get(f".{name}")
        for function in reversed(functions):
            special = T.IN_FUNCTIONS.get((str(path.relative_to(ROOT)).removeprefix(f"{PKG}/"), function), {})
            if name in special:
                return special[name]
        if name in exact:
            return local[name]
        if name in names and any(first <= line <= last for first, last in visible[name]):
            if not any(first <= line <= last and name in found for first, last, found in bound):
                return names[name]
        if name in fixed:  # defined or imported here: it is not the word that a rule for a folder means
            return T.EVERYWHERE.get(name)
        return local.get(name) or T.EVERYWHERE.get(name)

    for index, token in enumerate(code):
        if token.type != tokenize.NAME:
            continue
        new = new_name(index)
        if new and new != token.string:
            collides(index, new)
            begin = starts[token.start[0] - 1] + token.start[1]
            edits.append((begin, begin + len(token.string), new))
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind not in ("COMMENT", "STRING", "FSTRING_MIDDLE"):
            continue
        begin = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        old = text[begin:end]
        line = token.start[0]
        inside = [each for each in scopes if each[0] <= line <= each[1]]
        function = next((each[3] for each in reversed(inside) if each[2] == "def"), "")
        special = T.IN_FUNCTIONS.get((str(path.relative_to(ROOT)).removeprefix(f"{PKG}/"), function), {})
        classes = [each[3].split(".")[-1] for each in inside if each[2] == "class"]
        new = words_in(old, names, {**local, **special}, classes[-1] if classes else "", is_doc=kind == "STRING" and old[-3:] == '"""')
        if kind == "STRING" and (line, token.start[1]) in parameters:
            new = re.sub(r"\w+", lambda found: local.get(found[0], T.EVERYWHERE.get(found[0], found[0])), old)
        elif kind == "STRING" and re.fullmatch(r"[\"']\w+[\"']", old):
            new = patched_name(text, begin, old, names, local, aliases)
        if new != old:
            edits.append((begin, end, new))
    for begin, end, new in sorted(edits, reverse=True):
        text = text[:begin] + new + text[end:]
    ast.parse(text)
    path.write_text(text)


def patched_name(text: str, begin: int, old: str, names: dict, local: dict, aliases: dict) -> str:
    """The name in setattr(X, "name"), patch.object(X, "name")."""
    before = text[max(0, begin - 80) : begin]
    found = re.search(r"(?:setattr|object|getattr|delattr|hasattr)\(\s*([\w.]+),\s*$", before)
    if not found:
        return old
    name, owner = old[1:-1], found[1].split(".")[-1]
    new = name
    if owner in aliases:
        new = RENAMED.get((home(aliases[owner], name), name), name)
    else:
        for cls, member, renamed, _ in T.MEMBERS:
            if member == name and cls == owner:
                new = renamed
        if new == name:
            new = T.EVERYWHERE.get(name, name)
    return f"{old[0]}{new}{old[0]}"


def words_in(text: str, names: dict[str, str], local: dict[str, str], owner: str, *, is_doc: bool) -> str:
    text = new_dotted(text)
    known = {**T.EVERYWHERE, **names}
    for old, new in known.items():
        # Names that can't be words of a sentence.
        if old in text and (re.search(r"[a-z][A-Z]|_\w|^_", old) or len(re.findall("[A-Z]", old)) > 1):
            text = re.sub(rf"(?<![\w.\"']){re.escape(old)}(?![\w\"'])", new, text)

    def role(found: re.Match[str]) -> str:
        name = found[2]
        members = {member: new for cls, member, new, _ in T.MEMBERS if cls == owner}
        return f"{found[1]}`{members.get(name) or known.get(name) or local.get(name) or name}`"

    text = re.sub(r"(:(?:class|func|meth|data|attr|exc):)`(\w+)`", role, text)
    if is_doc:
        members = {member: new for cls, member, new, _ in T.MEMBERS if cls == owner}

        def field(found: re.Match[str]) -> str:
            name = found[2]
            return f"{found[1]} {local.get(name) or members.get(name) or T.EVERYWHERE.get(name) or name}:"

        text = re.sub(r"(:(?:param|ivar)) (\w+):", field, text)
        text = re.sub(
            r"``(\w+)``", lambda found: f"``{local.get(found[1], T.EVERYWHERE.get(found[1], found[1]))}``", text
        )
    return text


# -- phase B: split, move, rewrite imports --


def chunks_of(text: str) -> tuple[str, list[str], list[tuple[list[str], str]]]:
    """Docstring, import statements, and each other top-level statement with the comments before it."""
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    doc, imports, rest, last = "", [], [], 0
    for node in tree.body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        end = node.end_lineno or node.lineno
        chunk = "".join(lines[last:end])
        last = end
        is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not doc and not imports
        is_type = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        if is_doc:
            doc = chunk
        elif isinstance(node, ast.Import | ast.ImportFrom) or is_type:
            imports.append(chunk)
        else:
            rest.append((top_names(ast.Module([node], [])), chunk))
        del first
    return doc, imports, rest


def extend_splits() -> None:
    """Let private names go along with the only part of a module that uses them."""
    for short, targets in T.SPLITS.items():
        module = f"{PKG}.{short}"
        if module not in MODULES:
            continue
        rest = chunks_of(path_of(module).read_text())[2]
        default = MOVED.get(module, module)
        for _ in range(5):
            users: dict[str, set[str]] = defaultdict(set)
            for names, chunk in rest:
                place = new_home(module, names[0]) if names else default
                for each in set(re.findall(r"\b_\w+\b", chunk)) - set(names):
                    users[each].add(place)
            for names, _ in rest:
                if len(names) == 1 and names[0].startswith("_") and new_home(module, names[0]) == default:
                    if len(users[names[0]]) == 1 and users[names[0]] != {default}:
                        [target] = users[names[0]]
                        targets.setdefault(target[len(PKG) + 1 :], []).append(names[0])


SHARED = {"log", "_T", "__all__"}


def split_modules() -> dict[str, str]:
    """Cut modules up; returns the texts of new modules (new module -> text), old files hold what stays."""
    extracted: dict[str, list] = defaultdict(lambda: [[], []])  # new module -> imports, chunks
    for short, targets in T.SPLITS.items():
        module = f"{PKG}.{short}"
        if module not in MODULES:
            continue
        path = path_of(module)
        text = path.read_text()
        doc, imports, rest = chunks_of(text)
        default = MOVED.get(module, module)
        where: dict[str, str] = {}
        groups: dict[str, list[str]] = defaultdict(list)
        for names, chunk in rest:
            target = new_home(module, names[0]) if names else default
            if "__all__" in names and targets:
                continue
            groups[target].append(chunk)
            for name in names:
                where[name] = target
        for target, chunks in groups.items():
            used = {
                each.id for each in ast.walk(ast.parse("".join(chunks))) if isinstance(each, ast.Name)
            } | set(re.findall(r"\b_?[A-Za-z]\w+\b", " ".join(re.findall(r'"[^"\n]+"', "".join(chunks)))))
            needed = sorted(
                name for name in used if name in where and where[name] != target and name not in SHARED
            )
            for name in needed:
                if name.startswith("_"):
                    note(f"split: private {short}.{name} is used by {target}")
            extra = [f"from {module} import {name}\n" for name in needed]
            logs = [chunk for names, chunk in rest if "log" in names and "log" in used and target != default]
            if target == default:
                path.write_text(doc + "".join(imports) + "".join(extra) + "".join(chunks))
            else:
                extracted[target][0] += [*imports, *extra]
                extracted[target][1] += logs + chunks
        if default not in groups:
            path.write_text(doc or '"""Empty."""\n')
    texts = {}
    for target, (imports, chunks) in extracted.items():
        short = target[len(PKG) + 1 :]
        docstring = T.DOCSTRINGS.get(short, short)
        seen = dict.fromkeys(each.strip("\n") + "\n" for each in imports)
        future = [each for each in seen if "__future__" in each]
        others = [each for each in seen if "__future__" not in each]
        texts[target] = f'"""{docstring}"""\n\n' + "".join(future) + "\n" + "".join(others) + "\n\n" + "".join(chunks).lstrip("\n")
    return texts


def rewrite_imports(path: Path, own: str | None) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    replaced: list[tuple[int, int, str]] = []
    rewrites: dict[str, dict[str, str]] = {}
    values = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    bare = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in values}
    renamed_aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in MOVED and MOVED[alias.name] != alias.name:
                    note(f"import {alias.name} in {path.relative_to(ROOT)}: rewritten as text")
                    line = lines[node.lineno - 1]
                    lines[node.lineno - 1] = line.replace(alias.name, MOVED[alias.name])
            continue
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PKG)):
            continue
        groups: dict[str, list[str]] = defaultdict(list)
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            shown = alias.name + (f" as {alias.asname}" if alias.asname else "")
            if full in MODULES and full not in T.PACKAGES_WITH_NAMES:
                short = full[len(PKG) + 1 :]
                if T.SPLITS.get(short):
                    rewrites[alias.asname or alias.name] = {"module": full, "shown": shown}
                    if (alias.asname or alias.name) in bare:
                        parent, _, leaf = MOVED.get(full, full).rpartition(".")
                        groups[parent].append(leaf + ("" if leaf == alias.name and not alias.asname else f" as {alias.asname or alias.name}"))
                    continue
                new = MOVED.get(full, full)
                parent, _, leaf = new.rpartition(".")
                asname = alias.asname
                if leaf != alias.name and asname is None:
                    asname = T.ALIASES.get(short, leaf)
                    if asname != alias.name:
                        renamed_aliases[alias.name] = asname
                groups[parent].append(leaf + (f" as {asname}" if asname and asname != leaf else ""))
                continue
            where = home(node.module, alias.name)
            target = new_home(where, alias.name)
            if target == own:
                continue
            groups[target].append(shown)
        indent = re.match(r"\s*", lines[node.lineno - 1])[0]
        comment = re.search(r"\s*#.*$", lines[node.end_lineno - 1].rstrip("\n"))
        new_lines = [
            f"{indent}from {module} import {', '.join(found)}{comment[0] if comment else ''}\n" for module, found in groups.items()
        ]
        replaced.append((node.lineno, node.end_lineno, "".join(new_lines) or f"{indent}pass\n" if indent and not new_lines else "".join(new_lines)))
    # Uses of a module that was cut up: each name by itself.
    extra: list[str] = []
    body = "".join(lines)
    starts = offsets(body)
    edits: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in rewrites:
            module = rewrites[node.value.id]["module"]
            where = home(module, node.attr)
            target = new_home(where, node.attr)
            if node.value.id in bare and target == MOVED.get(module, module):
                continue
            extra.append(f"from {target} import {node.attr}\n")
            line = lines[node.lineno - 1].encode()
            begin = starts[node.lineno - 1] + len(line[: node.col_offset].decode())
            line = lines[node.end_lineno - 1].encode()
            end = starts[node.end_lineno - 1] + len(line[: node.end_col_offset].decode())
            edits.append((begin, end, node.attr))
    attribute_values = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in attribute_values:
            if node.id in rewrites:
                note(f"look at: {path.relative_to(ROOT)} uses the module {node.id} ({rewrites[node.id]['module']}) itself")
        if isinstance(node, ast.Name) and node.id in renamed_aliases:
            line = lines[node.lineno - 1].encode()
            begin = starts[node.lineno - 1] + len(line[: node.col_offset].decode())
            edits.append((begin, begin + len(node.id), renamed_aliases[node.id]))
    for first, last, new in replaced:
        edits.append((starts[first - 1], starts[last], new))
    for begin, end, new in sorted(edits, reverse=True):
        body = body[:begin] + new + body[end:]
    if extra:
        at = body.find("from __future__ import annotations\n")
        at = body.find("\n", at) + 1 if at >= 0 else _after_docstring(body)
        body = body[:at] + "".join(dict.fromkeys(extra)) + body[at:]
    try:
        ast.parse(body)
    except SyntaxError as error:
        note(f"SYNTAX {path.relative_to(ROOT)}: {error}")
    path.write_text(body)


def _after_docstring(text: str) -> int:
    tree = ast.parse(text)
    first = tree.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return offsets(text)[first.end_lineno]
    return 0


def move(old: str, new: str) -> None:
    (ROOT / new).parent.mkdir(parents=True, exist_ok=True)
    git("mv", old, new)


def fix_depth(path: Path, old: str, new: str) -> None:
    difference = new.count("/") - old.count("/")
    if not difference:
        return
    text = path.read_text()
    text = re.sub(
        r"(Path\(__file__\)(?:\.resolve\(\))?\.parents\[)(\d+)\]", lambda m: f"{m[1]}{int(m[2]) + difference}]", text
    )
    path.write_text(text)


# -- documents --


def rewrite_documents(moves: dict[str, str]) -> None:
    for line in git("ls-files").splitlines():
        path = ROOT / line
        if not path.is_file() or path.suffix not in (".md", ".toml", ".yml", ".yaml", ".txt", ".py", "", ".json") or line.startswith("constraints/"):
            continue
        if path.suffix == "" and path.name not in ("Makefile", "run"):
            continue
        try:
            text = old = path.read_text()
        except UnicodeDecodeError:
            continue
        if path.suffix != ".py":
            text = new_dotted(text)
            for before, after in T.DOCUMENT_WORDS.items():
                text = text.replace(before, after)
        for before in sorted(moves, key=len, reverse=True):
            text = re.sub(rf"(?<![\w/]){re.escape(before)}(?!\w)", moves[before], text)
        if text != old:
            path.write_text(text)


def main() -> None:
    if git("status", "--porcelain").strip():
        print("WARNING: the tree is not clean")
    survey()
    bind_tables()
    bind_moves()
    for relative, before, after in T.TEXT_BEFORE:
        replace_text(relative, before, after)
    survey()
    for path in python_files():
        rename_in(path)
    moves = file_moves()
    dotted_documents = dict(moves)
    rewrite_documents(dotted_documents)
    git("add", "-A")
    if "--commit" in sys.argv:
        tidy()
        git("commit", "-qm", "Name things by the words of the field", "--no-verify")
    survey()
    extend_splits()
    texts = split_modules()
    kept = {each: set(names) for each, names in MODULES.items()}
    # What each file imports, by its old module.
    for old, new in moves.items():
        if (ROOT / old).exists():
            if (ROOT / new).exists():
                note(f"move: {new} exists")
                continue
            # A module that becomes a folder of the same name.
            move_path(old, new)
    for old in T.REMOVED:
        if (ROOT / PKG / old).exists():
            git("rm", "-qf", f"{PKG}/{old}")
    for target, text in texts.items():
        path = ROOT / Path(*target.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            merge_into(path, text)
        else:
            path.write_text(text)
    del kept
    for folder, docstring in T.PACKAGES.items():
        init = ROOT / PKG / folder / "__init__.py"
        init.parent.mkdir(parents=True, exist_ok=True)
        if not init.exists() or len(ast.parse(init.read_text()).body) <= 1:
            init.write_text(f'"""{docstring}"""\n')
    for path in python_files():
        rewrite_imports(path, module_of(path))
    for relative, before, after in T.TEXT_AFTER:
        replace_text(relative, before, after)
    for relative, marker, addition in T.INSERTS:
        insert_text(relative, marker, addition)
    for source, target in T.COPIES.items():
        path = ROOT / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((Path(__file__).parent / "rename-files" / source).read_text())
    git("add", "-A")
    if "--no-check" not in sys.argv:
        check()
    print("\n".join(NOTES))


def move_path(old: str, new: str) -> None:
    parent = (ROOT / new).parent
    # client/pull.py -> client/pull/pull.py: the file stands where the folder must be; no clash, as the suffix differs.
    parent.mkdir(parents=True, exist_ok=True)
    git("add", old)
    git("mv", "-f", old, new)
    fix_depth(ROOT / new, old, new)


def merge_into(path: Path, text: str) -> None:
    doc, imports, rest = chunks_of(text)
    mine, my_imports, my_rest = chunks_of(path.read_text())
    seen = dict.fromkeys(each.strip("\n") + "\n" for each in (*my_imports, *imports))
    future = [each for each in seen if "__future__" in each]
    others = [each for each in seen if "__future__" not in each]
    body = "".join(chunk for _, chunk in my_rest) + "\n\n" + "".join(chunk for _, chunk in rest).lstrip("\n")
    path.write_text(mine + "\n" + "".join(future) + "".join(others) + "\n\n" + body.lstrip("\n"))


def replace_text(relative: str, before: str, after: str) -> None:
    path = ROOT / relative
    if not path.exists():
        note(f"text: {relative} is not there")
        return
    text = path.read_text()
    if not re.search(before, text, re.MULTILINE):
        note(f"text: {relative} does not hold {before!r}")
        return
    path.write_text(re.sub(before, after, text, flags=re.MULTILINE))


def insert_text(relative: str, marker: str, addition: str) -> None:
    path = ROOT / relative
    if not path.exists():
        note(f"insert: {relative} is not there")
        return
    text = path.read_text()
    if addition.strip() in text:
        return
    at = text.find(marker)
    if at < 0:
        note(f"insert: {relative} does not hold {marker!r}")
        return
    path.write_text(text[:at] + addition + text[at:])


def wrap_long_lines() -> None:
    """Wrap comments and docstrings that longer names made too long."""
    for path in python_files():
        text = path.read_text()
        if all(len(line) <= 120 for line in text.splitlines()):
            continue
        docs = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                    docs |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        lines = text.splitlines()
        number = 0
        while number < len(lines):
            line = lines[number]
            is_doc = number + 1 in docs
            comment = re.match(r"\s*# ", line)
            if len(line) > 120 and (comment or (is_doc and '"""' not in line)):
                indent = comment[0] if comment else re.match(r"\s*", line)[0]
                cut = line.rfind(" ", len(indent), 120)
                if cut > len(indent):
                    rest = line[cut + 1 :]
                    lines[number] = line[:cut]
                    following = lines[number + 1] if number + 1 < len(lines) else ""
                    deeper = indent + "    " if line.lstrip().startswith(":") else indent
                    is_same = (
                        re.match(r"\s*# \S", following) if comment else following.strip() and not following.lstrip().startswith((":", "-", '"""'))
                    )
                    if is_same and following.startswith(indent.rstrip() if comment else indent):
                        lead = re.match(r"\s*# " if comment else r"\s*", following)[0]
                        lines[number + 1] = f"{lead}{rest} {following[len(lead):]}"
                    else:
                        lines.insert(number + 1, deeper + rest)
                        docs = {each + 1 if each > number + 1 else each for each in docs} | ({number + 2} if is_doc else set())
            number += 1
        path.write_text("\n".join(lines) + "\n")


def tidy() -> None:
    wrap_long_lines()
    ruff = str(ROOT / ".venv/bin/ruff")
    for arguments in (["check", "--fix", "-q"], ["format", "-q"]):
        subprocess.run([ruff, *arguments], cwd=ROOT, capture_output=True, check=False)
    git("add", "-A")


def check() -> None:
    wrap_long_lines()
    ruff = str(ROOT / ".venv/bin/ruff")
    for command in (
        [ruff, "check", "--fix", "--unsafe-fixes", "--select", "F401,TC005,TCH005,PIE790", "-q"],
        [ruff, "check", "--fix", "-q"],
        [ruff, "format", "-q"],
        [ruff, "check", "--fix", "--output-format", "concise"],
        [str(ROOT / ".venv/bin/mypy")],
    ):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print("$", " ".join(command[1:] if "ruff" in command[0] else command)[:60])
        print("\n".join(run.stdout.splitlines()[-60:]))
    git("add", "-A")


if __name__ == "__main__":
    main()
