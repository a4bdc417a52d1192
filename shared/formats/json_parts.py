"""JSON texts taken apart into the texts of their parts, in which NaN and Infinity may stand."""

from typing import Any

import msgspec

from shared.contract.findings import JsonFault, json_fault
from shared.errors import MalformedInput
from shared.formats.json_nan import with_nan, without_nan
from shared.formats.json_pieces import NOT_IN_BULK


def decoded(text: bytes, kind: Any) -> tuple[Any, bool]:
    """Decode a text, in which NaN and Infinity may stand; return whether they do, as numbers that `with_nan` knows.

    Raises MalformedInput if it is not JSON, ValidationError if it is something else than `kind`.
    """
    try:
        return msgspec.json.decode(text, type=kind), False
    except msgspec.ValidationError:
        raise
    except NOT_IN_BULK as error:
        fault = not_json(*_place(str(error), text))
    if (written := without_nan(text)) is None:
        raise fault
    try:
        return msgspec.json.decode(written, type=kind), True
    except msgspec.ValidationError:
        raise
    except NOT_IN_BULK as error:
        raise not_json(*_place(str(error), written, has_nan=True)) from None


def _place(message: str, text: bytes, *, has_nan: bool = False) -> JsonFault:
    """Find the line and the character of an error of msgspec, which tells the byte; NaN counts as it was sent."""
    fault, _, position = json_fault(message, len(text))
    begin = text.rfind(b"\n", 0, position) + 1
    character = len(with_nan(text[begin:position])) if has_nan else position - begin
    return JsonFault(fault, text.count(b"\n", 0, position) + 1, character)


def fields_of(text: bytes, kind: Any) -> dict[str, bytes]:
    """Take an object apart into the fields of a struct; raises MalformedInput, and ValidationError if it has others."""
    found, has_nan = decoded(text, kind)
    texts = texts_of(found)
    return {name: with_nan(value) for name, value in texts.items()} if has_nan else texts


def texts_of(found: msgspec.Struct) -> dict[str, bytes]:
    """Return the fields of a struct of texts that are there, by the names that they have in JSON."""
    names = zip(found.__struct_encode_fields__, found.__struct_fields__, strict=True)
    raws = {name: getattr(found, field) for name, field in names}
    return {name: bytes(raw) for name, raw in raws.items() if raw is not msgspec.UNSET}


def elements_of(array: bytes) -> list[bytes] | None:
    """Split an array; None if it is not one. NaN and Infinity are not JSON but occur: the rows with them can be identified."""
    try:
        elements, has_nan = decoded(array, list[msgspec.Raw])
    except (msgspec.ValidationError, MalformedInput):
        return None
    return [with_nan(bytes(element)) for element in elements] if has_nan else list(map(bytes, elements))


def not_json(fault: str, line: int, character: int) -> MalformedInput:
    """Return the error of a text that is not JSON, at this line and character."""
    return MalformedInput("json-invalid", fault=fault, line=line, character=character)
