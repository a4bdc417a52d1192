"""One table of reasons: all that is raised stands in it with exactly its parameters, and all that stands in it is raised."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contract.contract import Contract
from shared.errors import PretError
from shared.jobs.job_scripts import SCRIPTS
from shared.reasons import InvalidValue
from shared.sentences import INVALID_PARAMETERS, INVALID_VALUES, REASONS
from shared.storage import faults
from tests.factories import fields_of, make_contract

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(path for folder in ("api", "worker", "shared", "scripts") for path in (ROOT / folder).rglob("*.py"))

for name in ("api.errors", "scripts.lib.hub_repository"):
    import_module(name)  # so that its classes are known

PASSED_ON = {"fault": (1, {"line"}), "reject_beyond_memory": (0, set[str]())}
"""Functions that raise a type that they are given: which argument it is, and which parameters they add."""

MAKERS = {ROOT / "shared" / "reasons.py", ROOT / "shared" / "errors.py"}
"""Where reasons are made of what somebody else says."""

LOOKED_UP = {"type_of"}
"""Functions that find a type in a table of constants; those types have no parameters."""


@dataclass(frozen=True)
class Use:
    """A place in the source that names a type, with the parameters that it gives; without a type, it cannot be told."""

    place: str
    type: str | None
    params: frozenset[str]


def kinds(base: type[PretError] = PretError) -> Iterator[type[PretError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


ERRORS = {kind.__name__: kind for kind in kinds() if kind.__module__.startswith(("api.", "shared.", "scripts."))}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def constants_of(path: Path, *, with_imports: bool = True) -> dict[str, str]:
    """The names of a module that stand for texts, also those that it takes from others."""
    found: dict[str, str] = {}
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and with_imports:
            source = ROOT / f"{(node.module or '').replace('.', '/')}.py"
            found |= constants_of(source, with_imports=False) if source.exists() else {}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def texts_of(node: ast.expr, constants: dict[str, str]) -> list[str | None]:
    """What an expression stands for: a text, one of two, or nobody knows."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts_of(body, constants), *texts_of(orelse, constants)]
        case ast.Name(id=name) if name in constants:
            return [constants[name]]
    return [None]


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def keys_of(node: ast.expr) -> frozenset[str] | None:
    """The keys of a literal dictionary."""
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
    return None


def own_arguments(kind: type[PretError]) -> set[str]:
    return set(inspect.signature(kind).parameters)


def gives_its_own(kind: type[PretError]) -> bool:
    """Whether a class has one type only, and makes the parameters itself."""
    return "type" not in own_arguments(kind)


def is_passed_on(call: ast.Call, function: str | None) -> bool:
    """Whether the type is an argument of a function that passes it on, or looked up in a table."""
    argument = call.args[0]
    if isinstance(argument, ast.Call):
        return name_of(argument.func) in LOOKED_UP
    return function in PASSED_ON and isinstance(argument, ast.Name)


def raised_by(call: ast.Call, function: str | None, place: str, constants: dict[str, str]) -> Iterator[Use]:
    """The types of an error that is made."""
    kind = ERRORS[name_of(call.func)]
    given = {keyword.arg or "**" for keyword in call.keywords} - own_arguments(kind)
    if gives_its_own(kind):
        return
    if not call.args:
        yield Use(place, kind.default, frozenset(given))
    elif not is_passed_on(call, function):
        for text in texts_of(call.args[0], constants):
            yield Use(place, text, frozenset(given))


def uses_in(path: Path) -> Iterator[Use]:
    constants = constants_of(path)
    functions = {
        node: function.name
        for function in ast.walk(tree_of(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree_of(path)):
        place = f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.IfExp):
            bare = [node.exc] if isinstance(node.exc, ast.Name) else [node.exc.body, node.exc.orelse]
            for name in (each.id for each in bare if isinstance(each, ast.Name) and each.id in ERRORS):
                yield Use(place, ERRORS[name].default, frozenset())
        if not isinstance(node, ast.Call):
            continue
        function, name = functions.get(node), name_of(node.func)
        if isinstance(node.func, ast.Name) and name in ERRORS:
            yield from raised_by(node, function, place, constants)
        elif name == "Reason" and path not in MAKERS:
            params = keys_of(node.args[1]) if len(node.args) > 1 else frozenset[str]()
            params = known_params(node, params, path)
            for text in texts_of(node.args[0], constants):
                yield Use(place, text, params)
        elif name in PASSED_ON and len(node.args) > PASSED_ON[name][0]:
            position, added = PASSED_ON[name]
            given = {keyword.arg or "**" for keyword in node.keywords}
            for text in texts_of(node.args[position], constants):
                yield Use(place, text, frozenset(given | added))


def known_params(call: ast.Call, params: frozenset[str] | None, path: Path) -> frozenset[str]:
    """Where the parameters of a reason stand in a variable, those that it was made with."""
    if params is not None:
        return params
    variable = name_of(call.args[1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Assign) and [name_of(target) for target in node.targets] == [variable]:
            found = keys_of(node.value)
            if found is not None:
                return found
    return frozenset({"?"})


def given_by_classes(path: Path) -> Iterator[Use]:
    for made in ast.walk(tree_of(path)):
        if isinstance(made, ast.ClassDef) and made.name in ERRORS and gives_its_own(ERRORS[made.name]):
            [call] = [
                node for node in ast.walk(made) if isinstance(node, ast.Call) and name_of(node.func) == "__init__"
            ]
            assert not call.args
            names = frozenset(keyword.arg or "**" for keyword in call.keywords)
            yield Use(f"{path.name}:{made.lineno}", ERRORS[made.name].default, names)


def looked_up() -> Iterator[Use]:
    path = Path(faults.__file__)
    for name, text in constants_of(path).items():
        if text in REASONS:
            yield Use(f"{path.name}:{name}", text, frozenset())


def written_by_redis() -> Iterator[Use]:
    for kind in re.findall(r"'([a-z]+-given-up)'", SCRIPTS["claim"]):
        names = re.findall(r'"(\w+)":', SCRIPTS["claim"].split("local params")[1])
        yield Use("claim", kind, frozenset(names) - {"type", "params"})


USES = [
    *(use for path in SOURCES for find in (uses_in, given_by_classes) for use in find(path)),
    *looked_up(),
    *written_by_redis(),
]


def test_the_walk_finds_what_there_is() -> None:
    found = {(use.place.partition(":")[0], use.type) for use in USES}
    assert ("shared/jobs/rows.py", "too-many-rows") in found
    assert ("shared/formats/csv_blocks.py", "csv-open-quote") in found
    assert ("shared/formats/arrow.py", "memory-record-batches") in found
    assert ("api/routes/health.py", "workers-running") in found
    assert ("shared/fleet/member.py", "no-model") in found
    assert {"UnknownJob", "BadArtifact", "NoSuchRepository", "RangeNotSatisfiable"} <= ERRORS.keys()
    assert len(USES) > len(REASONS)


def test_every_type_that_is_raised_stands_in_the_table_with_exactly_its_parameters() -> None:
    assert [(use.place, use.type) for use in USES if use.type not in REASONS] == []
    wrong = {
        (use.place, use.type): (set(use.params), fields_of(REASONS[use.type]))
        for use in USES
        if use.type is not None and use.params != fields_of(REASONS[use.type])
    }
    assert wrong == {}


def test_every_type_in_the_table_is_raised_somewhere() -> None:
    assert REASONS.keys() - {use.type for use in USES} == set()


def test_a_class_has_a_default_type_of_the_table_or_none() -> None:
    assert {kind.default for kind in ERRORS.values() if kind.default is not None} <= REASONS.keys()


@pytest.mark.parametrize("type", REASONS)
def test_a_reason_is_a_sentence(type: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", type)
    sentence = REASONS[type]
    assert sentence.endswith((".", "?", "{reason}"))
    assert sentence[0].isupper() or sentence.startswith(("{", "dataframe_split"))
    assert "  " not in sentence
    assert not re.search(r"\brefus", sentence), "that word is kept for the decision about an applicant"


# Invalid values.


def invalid_values_in(path: Path) -> Iterator[Use]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and name_of(node.func) == "InvalidValue" and len(node.args) > 2:
            params = keys_of(node.args[3]) if len(node.args) > 3 else frozenset[str]()
            kind = node.args[2]
            if isinstance(kind, ast.Constant):
                yield Use(f"{path.name}:{node.lineno}", str(kind.value), params or frozenset())


OURS = [use for path in SOURCES for use in invalid_values_in(path)]


def test_what_we_find_invalid_ourselves_stands_in_the_table() -> None:
    assert {use.type for use in OURS} == {
        "not_ordered",
        "extra_forbidden",
        "too_long",
        "kept_type",
        "kept_date",
        "null_not_allowed",
        "json_invalid",
    }
    for use in OURS:
        assert use.params == fields_of(INVALID_VALUES[str(use.type)]), use


CONTRACTS: list[tuple[str, dict[str, Any]]] = [
    ("double", {}),
    ("double", {"ge": 0.5, "le": 10}),
    ("float", {"ge": -3, "le": 1e6}),
    ("long", {}),
    ("long", {"ge": 18, "le": 100.5}),
    ("long", {"values": [1, 2, 3]}),
    ("integer", {}),
    ("integer", {"values": [5], "ge": 2}),
    ("boolean", {}),
    ("string", {}),
    ("string", {"values": ["a", "it's", "é"]}),
]
VALUES = [
    *("null", "true", "1", "0", "-1", "1.5", "1e18", "1e19", "-1e19", "1e400", "9" * 30, "-" + "9" * 400, "NaN"),
    *("Infinity", "-Infinity", '"a"', '"1"', '""', "[]", "[1]", "{}", '{"x": 1}', '"\\ud800"', "[", "tru", "", "\x01"),
]
ROWS = [
    "[]",
    "null",
    "5",
    '"x"',
    "{}",
    '{"y": 1}',
    "{",
    "",
    "x",
    '{"x": 1, "x": null}',
    *(f'{{"x": {v}}}' for v in VALUES),
]
PYDANTICS_OWN_WORDS = INVALID_VALUES.keys() - {
    "int_size",
    "not_ordered",
    "too_long",
    "kept_type",
    "kept_date",
    "null_not_allowed",
}


def found_by_pydantic(contract: Contract, text: str) -> Iterator[tuple[InvalidValue, str]]:
    """What pydantic says of a row, as ours and in its own words."""
    try:
        contract.row_adapter.validate_json(text)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        yield from zip(contract.findings(error), [detail["msg"] for detail in details], strict=True)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("kind", "notes"), CONTRACTS)
def test_what_pydantic_can_find_stands_in_the_table_with_its_parameters_and_in_its_words(
    kind: str, notes: dict[str, Any], required: bool
) -> None:
    contract = make_contract([{"name": "x", "type": kind, "required": required}], {"x": notes} if notes else {})
    for text in ROWS:
        for found, words in found_by_pydantic(contract, text):
            assert found.type in INVALID_VALUES, text
            assert found.params.keys() == fields_of(INVALID_VALUES[found.type])
            # Of null, pydantic says only which type it would have.
            assert found.message == (INVALID_VALUES["null_not_allowed"] if found.type == "null_not_allowed" else words)
            json.dumps(found.as_dict(), allow_nan=False)


def test_all_that_the_table_has_of_pydantic_can_be_found() -> None:
    contracts = [make_contract([{"name": "x", "type": kind}], {"x": notes}) for kind, notes in CONTRACTS]
    found = {value.type for contract in contracts for text in ROWS for value, _ in found_by_pydantic(contract, text)}
    assert found == PYDANTICS_OWN_WORDS | {"int_size", "null_not_allowed"}


@pytest.mark.parametrize(
    ("bound", "limit", "words"),
    [
        (18, 18, "18"),
        (18.0, 18, "18"),
        (0.5, 0.5, "0.5"),
        (-0.0, 0, "0"),
        (2**53 + 1, float(2**53), "9007199254740992.0"),
        (10**30, 1e30, "1e+30"),
    ],
)
def test_a_bound_is_written_as_people_write_it_and_fits_into_json(bound: float, limit: float, words: str) -> None:
    contract = make_contract([{"name": "x", "type": "double"}], {"x": {"ge": bound}})
    [(found, _)] = found_by_pydantic(contract, '{"x": -1e300}')
    assert (found.params, found.message.rpartition(" ")[2]) == ({"limit": limit}, words)


def test_options_of_a_job_that_are_invalid_stand_in_their_table() -> None:
    names = ("options.py", "parameters.py", "reason_options.py", "lookup_options.py")
    files = [path for path in SOURCES if path.name in names]
    assert len(files) == len(names)
    calls = [
        node
        for path in files
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and name_of(node.func) == "invalid"
    ]
    uses = {
        str(node.args[0].value): {keyword.arg for keyword in node.keywords}
        for node in calls
        if isinstance(node.args[0], ast.Constant)
    }
    assert uses == {name: fields_of(words) for name, words in INVALID_PARAMETERS.items()}
