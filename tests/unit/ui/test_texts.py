import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ui import reasons, texts
from ui.applicant.form import KINDS
from ui.service import CLASSES
from ui.texts import LANGUAGES, Texts, escaped

FR, EN = Texts.of("fr"), Texts.of("en")
UI = Path(texts.__file__).parent
PLACEHOLDER = re.compile(r"\{(\w+)(?::(?:size|or))?\}")
UNSPACED = re.compile(r"[^\u00a0\u202f][:;!?»](?=[\s\u2060)]|$)|«(?!\u00a0)")
"""Signs that stand behind or before a no-break space in French, without one."""


def test_both_languages_have_the_same_sentences() -> None:
    assert FR.sentences.keys() == EN.sentences.keys()


def test_both_languages_fill_the_same_places() -> None:
    def places(say: Texts) -> dict[str, list[str]]:
        return {key: sorted(PLACEHOLDER.findall(sentence)) for key, sentence in say.sentences.items()}

    assert places(FR) == places(EN)


def test_every_sentence_is_used_and_every_used_one_is_there() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in UI.rglob("*.py"))
    files = "|".join(path.stem for path in (UI / "sentences" / "fr").glob("*.toml"))
    named = set(re.findall(rf"""["']((?:{files})\.[a-z0-9_]+)["']""", code))
    assert named - FR.sentences.keys() == set()
    # A key that is put together must have its parts in the code, or be what the service says.
    words = set(re.findall(r"""["']([a-z0-9_]+)["']""", code))
    words |= {"activated", "rejected", "api", "worker", "or"}
    made = [
        re.compile(re.sub(r"\\{.+?\\}", "([a-z0-9_]+)", re.escape(key)))
        for key in re.findall(rf"""["']((?:{files})\.[a-z0-9_]*\{{[^"']+)["']""", code)
    ]
    unused = [
        key
        for key in FR.sentences.keys() - named
        # Those are compared with the types of the service.
        if not key.startswith("reasons.")
        if not any((found := pattern.fullmatch(key)) and words.issuperset(found.groups()) for pattern in made)
    ]
    assert unused == []


@pytest.mark.parametrize("say", [FR, EN], ids=LANGUAGES)
def test_every_kind_of_problem_has_a_sentence_and_a_way_on(say: Texts) -> None:
    for name in {*CLASSES.values(), "unexpected"}:
        assert say(f"common.error_{name}")
        assert say(f"common.way_{name}")
    assert all(say(f"common.way_{name}") for name in reasons.WAYS)
    assert reasons.WAYS.keys() >= set(reasons.WAYS_OF_INPUT)
    assert all(say(f"model.type_{kind}") for kind in KINDS)


def test_french_signs_have_their_no_break_spaces() -> None:
    filled = {key: re.sub(r"\{[^}]*\}", "x", sentence) for key, sentence in FR.sentences.items()}
    assert {key: sentence for key, sentence in filled.items() if UNSPACED.search(sentence)} == {}


def test_a_language_that_is_not_spoken_is_answered_in_french() -> None:
    assert Texts.of("xx") == FR


def test_numbers_are_written_as_each_language_does() -> None:
    assert FR.number(1234567.8) == "1\u202f234\u202f567,8"
    assert EN.number(1234567.8) == "1,234,567.8"
    assert FR.percent(0.252) == "25,2\u00a0%"
    assert EN.percent(0.252) == "25.2%"
    assert EN.number(-3) == "\N{MINUS SIGN}3"
    assert EN.number(20952.0) == "20,952"
    assert EN.number(0.1 + 0.2) == "0.30000000000000004"
    assert EN.number(None) == EN.percent(None) == EN.moment(None) == EN.duration(None) == EN.size(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("text", "french", "english"),
    [
        ("40", 40, 40),
        ("12,75", 12.75, "12,75"),
        ("12.75", 12.75, 12.75),
        ("1 234,5", 1234.5, "1 234,5"),
        ("1\u202f234", 1234, 1234),
        ("1,234", 1.234, "1,234"),
        ("-0,5", -0.5, "-0,5"),
        ("\N{MINUS SIGN}3", -3, -3),
        ("1e3", 1000.0, 1000.0),
        ("1.234,5", "1.234,5", "1.234,5"),
        ("1e999", "1e999", "1e999"),
        ("nan", "nan", "nan"),
        ("0x10", "0x10", "0x10"),
        ("forty", "forty", "forty"),
    ],
)
def test_numbers_are_read_as_people_type_them_and_never_by_guess(text: str, french: object, english: object) -> None:
    assert (FR.read_number(text), EN.read_number(text)) == (french, english)


@pytest.mark.parametrize("say", [FR, EN], ids=LANGUAGES)
@pytest.mark.parametrize("value", [0, 40, -3, 0.2635, 12000.0, 1e-7, 1e22, 123456.789, 2**53])
def test_a_number_to_be_edited_reads_as_the_same_number(say: Texts, value: float) -> None:
    assert say.read_number(say.editable(value)) == value


def test_durations_and_sizes_are_rough() -> None:
    told = [EN.duration(seconds).replace("\u00a0", " ") for seconds in (0.42, 12.4, 59.7, 200, 7500)]
    assert told == ["0.4 s", "12 s", "1 min 00 s", "3 min 20 s", "2 h 05 min"]
    assert [EN.size(size).replace("\u00a0", " ") for size in (0, 999, 306576, 999_999, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "306.6 KB",
        "1.0 MB",
        "2.0 GB",
    ]


def test_moments_are_those_of_the_visitor_or_else_of_this_machine() -> None:
    noon = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert Texts.of("fr", "Asia/Tokyo").moment(noon) == "31/01/2026 21:00"
    for unknown in (None, "Nowhere/At_All", "../etc"):
        assert Texts.of("fr", unknown).moment(noon) == noon.astimezone().strftime("%d/%m/%Y %H:%M")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 12.5 %", "plain text, 12.5 %"),
        ("SNAKE_CASE", "SNAKE_CASE"),
        ("<b>bold</b>", r"\<b\>bold\</b\>"),
        ("*x* _y_ `z` $q$", r"\*x\* \_y\_ \`z\` \$q\$"),
        ("[a](b) :red[c] ~d~ |e|", "\\[a\\](b) \\:\u2060red\\[c\\] \\~d\\~ \\|e\\|"),
        ("a\nb\n\n# c", "a b # c"),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", "1\u2060. a"),
        (r"a\b", r"a\\b"),
        ("0 <= x -> 1 -- a--b", "0 \\<\u2060= x -\u2060\\> 1 -\u2060- a--b"),
        ("http://x www.y a@b.c", "http\\:\u2060//x www\u2060.y a@\u2060b.c"),
    ],
)
def test_text_of_others_is_not_read_as_markdown(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_values_in_a_sentence_are_not_read_as_markdown() -> None:
    assert "<b>" not in EN("applicant.label", label="<b>x</b>")
    assert EN.plain("applicant.label", label="<b>x</b>") == "<b>x</b>"
