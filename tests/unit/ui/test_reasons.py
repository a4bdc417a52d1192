from dataclasses import asdict
from string import Formatter
from typing import Any

import pytest

from pret import InvalidValue, Reason
from shared.sentences import INVALID_VALUES, REASONS
from ui import reasons
from ui.reasons import of_row, plainly, said
from ui.service import PARAMETERS
from ui.texts import LANGUAGES, Texts
from ui.views.health import UNKNOWN

FR, EN = Texts.of("fr"), Texts.of("en")
TYPES = REASONS | INVALID_VALUES


def names_in(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("say", [FR, EN], ids=LANGUAGES)
def test_every_type_of_the_service_has_a_sentence_and_no_other_has(say: Texts) -> None:
    assert {key for key in say.sentences if key.startswith("reasons.")} == {f"reasons.{type}" for type in TYPES}


@pytest.mark.parametrize("say", [FR, EN], ids=LANGUAGES)
@pytest.mark.parametrize("type", TYPES)
def test_a_sentence_has_the_parameters_of_its_type(type: str, say: Texts) -> None:
    known, used = names_in(TYPES[type]), names_in(say.sentences[f"reasons.{type}"])
    assert used <= known
    # Words of the machine may be left out, and what the console says by itself.
    assert known - used - {"fault"} == ({"limit"} if type == "invalid-rows" else set())


def test_every_type_that_the_console_names_is_one_of_the_service() -> None:
    beginnings = [beginning for of_way in reasons.WAYS.values() for beginning in of_way]
    assert [it for it in beginnings if not any(type.startswith(it) for type in REASONS)] == []
    assert {PARAMETERS, UNKNOWN} <= REASONS.keys()


def test_there_is_one_way_out_of_each_error() -> None:
    ways = {type: [way for way, them in reasons.WAYS.items() if type.startswith(them)] for type in REASONS}
    assert {type: names for type, names in ways.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("type", "params", "english", "french"),
    [
        ("missing", {}, "This value is required.", "Cette valeur est obligatoire."),
        ("float_type", {}, "This must be a number.", "Un nombre est attendu."),
        ("bool_type", {}, "This must be yes or no.", "La réponse attendue est oui ou non."),
        ("greater_than_equal", {"limit": 18}, "This must be at least 18.", "La valeur minimale est 18."),
        ("less_than_equal", {"limit": 0.5}, "This must be at most 0.5.", "La valeur maximale est 0,5."),
        (
            "literal_error",
            {"values": ["a", "b", 3]},
            "This must be “a”, “b” or 3.",
            "Valeurs possibles\u00a0: «\u00a0a\u00a0», «\u00a0b\u00a0» ou 3.",
        ),
        (
            "not_ordered",
            {"other": "LOW"},
            "This must not be less than “Low”.",
            "Cette valeur ne peut pas être inférieure à «\u00a0Low\u00a0».",
        ),
        ("too_long", {"limit": 1 << 20}, "This row is longer than 1.0\u00a0MB.", "Cette ligne dépasse 1,0\u00a0Mo."),
        ("something_new", {"limit": 3}, "Something *new*", "Something *new*"),
    ],
)
def test_what_is_invalid_is_said_in_the_language(type: str, params: dict[str, Any], english: str, french: str) -> None:
    value = InvalidValue(type, "Something *new*", params=params)
    told = [said(value, say, {"LOW": "Low"}).replace("\\", "") for say in (EN, FR)]
    assert told == [english, french]


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 values are invalid.", "0 valeur n'est pas valide."),
        (1, "1 value is invalid.", "1 valeur n'est pas valide."),
        (2000, "2,000 values are invalid.", "2\u202f000 valeurs ne sont pas valides."),
    ],
)
def test_words_follow_the_number(count: int, english: str, french: str) -> None:
    reason = Reason("invalid-rows", "", {"count": count, "limit": 100})
    assert [plainly(reason, say) for say in (EN, FR)] == [english, french]


def test_a_reason_within_a_reason_is_said_in_the_language() -> None:
    inner = asdict(
        Reason("model-cannot-score", "", {"version": "a" * 40, "reason": asdict(Reason("new", "It is new."))})
    )
    outer = Reason("chunk-given-up", "", {"unit": 3, "attempts": 1, "reason": inner})
    assert (
        plainly(outer, EN) == f"Chunk 3 was given up after 1 attempt. Model version {'a' * 18} cannot score. It is new."
    )


@pytest.mark.parametrize("params", [{}, {"limit": None}, {"limit": "much"}, {"size": 3}])
def test_parameters_of_another_version_leave_the_message_as_it_is(params: dict[str, Any]) -> None:
    reason = Reason("body-too-large", "It is too large.", params)
    assert (said(reason, EN), plainly(reason, FR)) == ("It is too large.", "It is too large.")


@pytest.mark.parametrize("reason", [None, "Odd.", {"type": "no-model"}])
def test_a_reason_of_another_shape_leaves_the_message_as_it_is(reason: object) -> None:
    assert plainly(Reason("no-results-failed", "There are none.", {"reason": reason}), FR) == "There are none."


def test_long_lists_of_names_are_cut() -> None:
    few, many, cut = ["A", "B"], [f"c{number}" for number in range(20)], [*"ABCDEFGHIJKLMNO", "…"]
    told = [plainly(Reason("columns-missing", "", {"columns": names}), EN) for names in (few, many, cut)]
    assert told[0] == "Missing columns: “A” and “B”."
    assert told[1].endswith("“c10”, “c11” and 8 others.")
    assert told[2].endswith("“K”, “L” and others.")


def test_a_reason_is_never_read_as_markdown() -> None:
    value = InvalidValue("literal_error", "", params={"values": ["<b>", "*x*"]})
    assert said(value, EN) == r"This must be “\<b\>” or “\*x\*”."


def test_all_that_is_invalid_in_a_row_is_said() -> None:
    values = [
        InvalidValue("greater_than_equal", "", column="AGE", params={"limit": 18}),
        InvalidValue("missing", "", column="RATE"),
        InvalidValue("odd", "Odd."),
    ]
    assert of_row(values, EN) == "AGE: This must be at least 18. RATE: This value is required. Odd."
