"""The folders are the architecture: who may import whom, and how large a function may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# a room and the rooms that it may import; all may import the ground, `drsformer` itself
ROOMS = {
    "drsformer": (),
    "export": (),
    "runtime": (),
    "calibration": ("export", "runtime"),
    "measuring": ("calibration", "export", "runtime"),
    "commands": ("calibration", "export", "measuring", "runtime"),
}
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
BY_NAME = {"importlib", "pkgutil", "runpy", "__import__"}  # what imports a module by its name
MAY_IMPORT_BY_NAME = {
    "commands/main.py",  # the lazy group of commands
}
MOST_PARAMETERS = 8
MOST_LINES = 45  # of a function, without its docstring and decorators


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> list[str]:
    """Return the parts of a file's import name."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return parts if parts[0] == "drsformer" else ["drsformer", *parts]


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of everything that a file imports, inside functions too."""
    package = module_of(path)
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(imported: str) -> str | None:
    """Return the room that an imported name lies in, None for other packages."""
    first, *rest = imported.split(".")
    if first != "drsformer":
        return None
    return rest[0] if rest and rest[0] in ROOMS else "drsformer"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_rooms_import_in_one_direction_only(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    allowed = {own, "drsformer", *ROOMS[own]}
    rooms = {found: room_of(found) for found in imports(path)}
    assert not {one: room for one, room in rooms.items() if room not in (None, *allowed)}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_modules_are_not_imported_by_name(path: Path) -> None:
    if name(path) in MAY_IMPORT_BY_NAME:
        pytest.skip("the exception")
    tree = ast.parse(path.read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {one for one in imports(path) if not one.startswith("importlib.metadata")}
    assert not BY_NAME & (used | {one.split(".")[0] for one in imported})


@pytest.mark.parametrize(
    "path", [path for path in FILES if name(path).startswith("runtime/")], ids=name
)
def test_the_runtime_needs_neither_torch_nor_onnx(path: Path) -> None:
    heads = {found.split(".")[0] for found in imports(path)}
    assert not heads & {"torch", "onnx", "onnx_ir", "safetensors", "polygraphy"}


def test_no_file_shadows_a_third_party_package() -> None:
    names = {path.stem for path in FILES}
    assert not names & {"onnx", "torch", "tensorrt", "onnxruntime", "numpy", "polygraphy"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_functions_are_short_and_take_few_parameters(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert len(parameters(node)) <= MOST_PARAMETERS, node.name
            assert lines(node) <= MOST_LINES, node.name


def parameters(function: ast.FunctionDef) -> list[str]:
    """Return a function's parameters but for self and cls."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [one for one in names if one not in ("self", "cls")]


def lines(function: ast.FunctionDef) -> int:
    """Return a function's lines, from `def` on, without its docstring."""
    assert function.end_lineno is not None
    total = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        total -= first.end_lineno - first.lineno + 1
    return total


@pytest.mark.parametrize(
    "path", [path for path in FILES if not name(path).startswith("commands/")], ids=name
)
def test_libraries_do_not_print(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {node.func.id for node in ast.walk(tree)
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    assert "print" not in called
    assert not {found for found in imports(path) if found.split(".")[0] == "click"}
    assert "rich.console.Console" not in set(imports(path))
