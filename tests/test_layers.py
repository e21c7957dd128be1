"""The shape of the house, read from the import statements."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Packages from the commands down; a package imports only what stands below it.
ORDER = (
    "cli", "run", "guards", "load", "stage", "extract", "validate", "report", "state", "config", "copernica", "model",
    "threads", "fields", "log", "errors",
)  # fmt: skip
OUTSIDE = {"os", "random", "requests", "socket", "sqlite3", "structlog", "subprocess", "time"}


@cache
def modules() -> dict[str, ast.Module]:
    """Parse every module of the package."""
    found = {}
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports_of(tree: ast.Module) -> set[str]:
    """List what a module imports, with the names taken from packages as modules of their own."""
    return {part for module, name in taken_by(tree) for part in (module, f"{module}.{name}" if name else module)}


@cache
def taken_by(tree: ast.Module) -> list[tuple[str, str]]:
    """Return each import as a module and the name taken from it, empty where the module itself is imported."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += ((node.module, alias.name) for alias in node.names)
    return found


PACKAGES = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "pipeline").rglob("__init__.py")}


def homes_of(tree: ast.Module) -> set[str]:
    """List the modules that a module's imports come from: behind a package, the one that has what the package hands on."""
    return {home_of(module, name) if name else module for module, name in taken_by(tree)}


def home_of(module: str, name: str) -> str:
    """Name the module that `from module import name` takes the name from."""
    if f"{module}.{name}" in modules():
        return f"{module}.{name}"
    for node in modules()[module].body if module in PACKAGES else ():
        for alias in node.names if isinstance(node, ast.ImportFrom) and node.module else ():
            if name == (alias.asname or alias.name):
                return home_of(node.module, alias.name)
    return module


def package_of(module: str) -> str:
    """Return the room of a module: the part of its name below `pipeline`."""
    return [*module.split("."), ""][1]


def rooms_imported_by(room: str) -> set[str]:
    """List the other rooms that the modules of a room import, at whatever depth: in functions and TYPE_CHECKING blocks too."""
    wanted = {
        home
        for name, tree in modules().items()
        if package_of(name) == room
        for home in homes_of(tree) | imports_of(tree)
    }
    return {package_of(home) for home in wanted if home.startswith("pipeline.")} - {room}


@cache
def rooms() -> set[str]:
    """Name the rooms that have a rank."""
    return {package_of(name) for name in modules()} - {"", "__main__", "sandbox"}


def test_every_room_has_a_rank() -> None:
    """A new package takes its place in the order before anything can import it."""
    assert sorted(rooms() - set(ORDER)) == []


def test_no_room_imports_upwards() -> None:
    """Design: imports point one way, so there is no circle between packages either."""
    known = {"__version__"}
    wrong = [
        f"{room} imports {other}"
        for room in rooms()
        for other in sorted(rooms_imported_by(room) - known)
        if other in ORDER and ORDER.index(other) < ORDER.index(room)
    ]
    assert wrong == []


def test_only_the_command_line_reaches_the_sandbox() -> None:
    """Design: the sandbox stands beside the pipeline; the command that serves it is the one that imports it."""
    assert [room for room in sorted(rooms()) if "sandbox" in rooms_imported_by(room)] == ["cli"]


def test_few_modules_stand_outside_a_room() -> None:
    """Design: at most six modules directly under `pipeline`."""
    assert len(list((ROOT / "pipeline").glob("*.py"))) <= 6


def test_imports_are_seen_through_packages() -> None:
    """What a package only hands on counts as an import of the module that has it."""
    assert home_of("pipeline.copernica", "Client") == "pipeline.copernica.client"
    assert home_of("pipeline.copernica", "transport") == "pipeline.copernica.transport"
    assert home_of("pipeline.config.read", "read_job") == "pipeline.config.read"
    assert home_of("pipeline.errors", "Problem") == "pipeline.errors"


def test_the_model_has_no_outside_world() -> None:
    """House style: no file, socket, clock, random, environment, process or log in the values between the packages."""
    found = {name: imports_of(tree) & OUTSIDE for name, tree in modules().items() if package_of(name) == "model"}
    assert {name: taken for name, taken in found.items() if taken} == {}


def test_one_module_knows_the_library_of_the_log() -> None:
    """Every other one calls `pipeline.log.get_logger`, so that code that calls us gets the log by its own logging."""
    assert [name for name, tree in modules().items() if "structlog" in imports_of(tree)] == ["pipeline.log"]


def test_one_module_speaks_http() -> None:
    """House style: only the transport imports requests."""
    assert [name for name, tree in modules().items() if "requests" in imports_of(tree)] == [
        "pipeline.copernica.transport"
    ]


def test_client_and_sandbox_share_no_code() -> None:
    """Design: the sandbox shows what the client gets wrong only as long as neither knows the other."""
    for one, other in (("pipeline.copernica", "pipeline.sandbox"), ("pipeline.sandbox", "pipeline.copernica")):
        found = [
            name
            for name, tree in modules().items()
            if name.startswith(one) and any(wanted.startswith(other) for wanted in imports_of(tree))
        ]
        assert found == []


def test_the_client_knows_no_files_and_no_frames() -> None:
    """Design: `copernica` can be used by itself; of the rest of the package it knows nothing."""
    for name, tree in modules().items():
        if name.startswith("pipeline.copernica"):
            imports = imports_of(tree)
            assert "polars" not in imports
            assert [
                one for one in imports if one.startswith("pipeline.") and not one.startswith("pipeline.copernica")
            ] == []


def test_everything_is_caught_in_one_place() -> None:
    """House style: `except Exception` stands once, at the top of the command line, and where a schema's own code runs."""
    found = [
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id == "Exception"
    ]
    users_code = (
        "pipeline.report.notify", "pipeline.validate.checks", "pipeline.validate.probe", "pipeline.validate.schema",
    )  # fmt: skip
    ours = [name for name in found if not name.startswith("pipeline.sandbox") and name not in users_code]
    assert ours == ["pipeline.__main__"]
