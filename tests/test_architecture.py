"""The house's rules, read from the source: who may import whom, how large things are, what must not be named."""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.lib.demo_portfolio import FEATURES
from shared.models import mlflow_source

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "worker", "shared", "pret", "ui")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

LEAVES = tuple(
    f"shared.{name}"
    for name in (
        "settings",
        "sentences",
        "reasons",
        "errors",
        "logging",
        "redis",
        "redis_url",
        "audit",
        "keys",
        "usage",
        "memory",
        "version",
    )
)
"""May rest on each other, and on nothing else of the project."""

STOREYS: dict[str, tuple[str, ...]] = {
    "shared.contract": (),
    "shared.storage": (),
    "shared.webhooks": (),
    "shared.formats": ("shared.contract",),
    "shared.models": ("shared.contract",),
    "shared.fleet": ("shared.models",),
    "shared.explanation": ("shared.contract", "shared.models"),
    "shared.scoring": ("shared.contract", "shared.models", "shared.explanation"),
    "shared.importance": ("shared.contract", "shared.models", "shared.explanation"),
    "shared.segments": ("shared.contract", "shared.models"),
    "shared.what_if": (
        *("shared.contract", "shared.models", "shared.explanation", "shared.scoring", "shared.segments"),
    ),
    "shared.jobs": (
        *("shared.contract", "shared.storage", "shared.webhooks", "shared.formats", "shared.models", "shared.fleet"),
        *("shared.explanation", "shared.scoring"),
    ),
}
"""What each part of `shared` rests on, besides the leaves; each only on those above it."""

DOOR = "shared/scoring.py"
SCORING = {"score_rows", "score_batch", "score_encoded", "predict_proba", "predict"}
"""What turns rows into scores without a decision."""

HTTP = {"fastapi", "fastapi_offline", "starlette", "http", "uvicorn"}
CELERY = {"celery", "kombu", "billiard"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


SOURCES = sources(*PACKAGES)
MODULES = {module_of(path): path for path in SOURCES}


def names_in(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that an import names; of `from package import x` also `package.x`, where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "relative imports are not used here"
    assert node.module is not None
    submodules = [name for alias in node.names if (name := f"{node.module}.{alias.name}") in MODULES]
    yield from submodules
    if len(submodules) < len(node.names):
        yield node.module


def imports_in(tree: ast.AST) -> set[str]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name for node in nodes for name in names_in(node)}


@cache
def imports_of(path: Path) -> set[str]:
    return imports_in(tree_of(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def in_package(path: Path, *packages: str) -> bool:
    return path.relative_to(ROOT).parts[0] in packages


def offenders(paths: Iterable[Path], forbidden: Callable[[str], bool]) -> dict[str, list[str]]:
    """Each file that imports what it must not, with what that is."""
    found = {name_of(path): sorted(filter(forbidden, imports_of(path))) for path in paths}
    return {path: names for path, names in found.items() if names}


def is_of(*packages: str) -> Callable[[str], bool]:
    return lambda name: any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_rules_look_at_something() -> None:
    assert {"api.main", "worker.tasks", "shared.jobs.store", "shared.models.scorer"} <= MODULES.keys()
    assert "shared.jobs.score" in imports_of(MODULES["worker.tasks"])
    assert offenders(SOURCES, is_of("shared.jobs.notify")) == {"worker/tasks.py": ["shared.jobs.notify"]}


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("api", ["worker", "pret", "ui", "scripts", "tests"]),
        ("worker", ["api", "pret", "ui", "scripts", "tests"]),
        ("shared", ["api", "worker", "pret", "ui", "scripts", "tests"]),
        ("pret", ["api", "worker", "shared", "ui", "scripts", "tests"]),
        ("ui", ["api", "worker", "shared", "scripts", "tests"]),
    ],
)
def test_api_and_worker_rest_on_shared_alone_and_the_client_on_none(package: str, others: list[str]) -> None:
    assert offenders(sources(package), is_of(*others)) == {}


def test_leaves_rest_on_nothing_but_leaves() -> None:
    leaves = [path for module, path in MODULES.items() if module in LEAVES]
    assert len(leaves) == len(LEAVES)
    assert offenders(leaves, lambda name: is_of(*PACKAGES)(name) and name not in LEAVES) == {}


@pytest.mark.parametrize("storey", STOREYS)
def test_each_storey_of_shared_rests_on_those_below_it(storey: str) -> None:
    allowed = is_of(storey, *STOREYS[storey], *LEAVES)
    modules = [path for module, path in MODULES.items() if is_of(storey)(module)]
    assert modules
    assert offenders(modules, lambda name: is_of(*PACKAGES)(name) and not allowed(name)) == {}


def test_everything_in_shared_is_a_leaf_or_of_a_storey() -> None:
    known = is_of("shared.jobs", *STOREYS, *LEAVES)
    assert [module for module in MODULES if is_of("shared")(module) and not known(module)] == ["shared"]


def test_only_models_know_catboost() -> None:
    others = [path for path in SOURCES if not module_of(path).startswith("shared.models.")]
    assert offenders(others, is_of("catboost")) == {}


def attributes_of(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}


def test_whoever_scores_passes_the_door() -> None:
    others = [path for path in sources("api", "worker", "shared/jobs") if name_of(path) != DOOR]
    assert {name_of(path): used for path in others if (used := attributes_of(path) & SCORING)} == {}
    assert attributes_of(ROOT / DOOR) >= {"score_rows", "score_batch", "score_encoded"}


def compares_with_the_threshold(path: Path) -> bool:
    compared = [part for node in ast.walk(tree_of(path)) if isinstance(node, ast.Compare) for part in ast.walk(node)]
    names = {part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in compared}
    return "threshold" in names


def test_a_score_becomes_a_decision_at_the_door_alone() -> None:
    services = sources("api", "worker", "shared/jobs", "shared/fleet", "shared/formats")
    assert [name_of(path) for path in services if compares_with_the_threshold(path)] == []
    words = [name_of(path) for path in sources("api", "worker", "shared") if "Refusé" in decision_words(path)]
    assert words == [DOOR]


def decision_words(path: Path) -> set[str]:
    return {
        node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_nothing_goes_around_the_edge() -> None:
    assert [name_of(path) for path in sources("api") if "build_middleware_stack" in attributes_of(path)] == []
    made = {name_of(path) for path in sources("api") for name in imports_of(path) if name == "api.edge"}
    assert made == {"api/main.py"}


def test_only_the_queue_and_the_worker_know_celery() -> None:
    others = [path for path in SOURCES if not in_package(path, "worker") and name_of(path) != "shared/jobs/queue.py"]
    assert offenders(others, is_of(*CELERY)) == {}


def test_only_the_api_knows_http() -> None:
    others = [path for path in SOURCES if not in_package(path, "api")]
    # The console names what stands before its pages.
    assert offenders(others, is_of(*HTTP)) == {"ui/app.py": ["starlette.middleware"]}


def test_nothing_that_serves_imports_mlflow() -> None:
    assert offenders(SOURCES, is_of("mlflow")).keys() == {"shared/models/mlflow_program.py"}
    assert offenders(SOURCES, is_of(mlflow_source.PROGRAM)) == {}


def test_there_is_no_circle_of_imports() -> None:
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join((*way, module))}"
        if module in done:
            return
        for name in sorted(imports_of(MODULES[module]) & MODULES.keys()):
            visit(name, (*way, module))
        done.add(module)

    for module in MODULES:
        visit(module, ())
    assert done == MODULES.keys()


def functions_of(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, Function)]


def test_no_import_of_the_project_hides_in_a_function() -> None:
    hidden = {
        f"{name_of(path)}:{function.lineno}": names
        for path in SOURCES
        for function in functions_of(path)
        if (names := list(filter(is_of(*PACKAGES, "ui", "scripts"), imports_in(function))))
    }
    assert hidden == {}


def test_no_feature_of_any_model_is_named() -> None:
    files = [path for folder in (*PACKAGES, "ui") for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = {
        name_of(path): path.read_text(encoding="utf-8", errors="replace") for path in files if path.suffix != ".pyc"
    }
    named = {(path, feature.name) for path, text in texts.items() for feature in FEATURES if feature.name in text}
    assert named == set()


def test_a_file_is_no_longer_than_one_wants_to_read() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    lengths = {
        f"{name_of(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in SOURCES
        for function in functions_of(path)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def public(path: Path) -> Iterator[ast.ClassDef | Function]:
    """The public classes and functions of a module, and the public methods of these classes."""
    for node in tree_of(path).body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield inner


def test_what_is_public_has_a_docstring() -> None:
    silent = [name_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))]
    silent += [
        f"{name_of(path)}:{node.name}" for path in SOURCES for node in public(path) if not ast.get_docstring(node)
    ]
    assert silent == []


def is_annotated(function: Function) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return function.returns is not None and all(argument.annotation for argument in named)


def test_what_is_public_is_annotated() -> None:
    functions = [(name_of(path), node) for path in SOURCES for node in public(path) if isinstance(node, Function)]
    assert [f"{path}:{node.name}" for path, node in functions if not is_annotated(node)] == []
