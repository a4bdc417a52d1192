import pytest

from pret import Column
from tests.unit.ui.conftest import NUMBERS, signature_of
from ui.applicant.form import fields_of
from ui.applicant.sections import HEAVY, Section, found, sections_of


def names_in(section: Section) -> list[str]:
    return [field.name for field in section.fields]


def test_ordered_lists_stand_together_then_choices_then_numbers() -> None:
    sections = [(section.kind, names_in(section)) for section in sections_of(NUMBERS)]
    assert sections == [
        ("ordered", ["LOW_RATE", "HIGH_RATE"]),
        ("choices", ["OWNS_HOME"]),
        ("numbers", ["AGE", "AMOUNT"]),
    ]


def test_every_field_is_in_one_group_even_where_ordered_lists_overlap() -> None:
    columns = [Column(name, "double") for name in "abcd"]
    sections = sections_of(signature_of(*columns, ordered=(("a", "b"), ("b", "c"), ("c", "d"))))
    assert sorted(field.name for section in sections for field in section.fields) == ["a", "b", "c", "d"]


def test_numbers_whose_names_begin_alike_stand_together() -> None:
    columns = [Column(name, "double") for name in ("loan_sum", "age", "loan_term")]
    (section,) = sections_of(signature_of(*columns))
    assert [field.name for field in section.fields] == ["loan_sum", "loan_term", "age"]


def test_the_groups_of_the_model_come_first() -> None:
    columns = (
        Column("a", "double"),
        Column("b", "double", group="G", group_label="<b>The home</b>"),
        Column("c", "string", group="G", group_label="<b>The home</b>"),
    )
    sections = sections_of(signature_of(*columns, ordered=(("a", "b"),)))
    assert [(section.kind, section.group, names_in(section)) for section in sections] == [
        ("group", "<b>The home</b>", ["b", "c"]),
        ("numbers", "", ["a"]),
    ]


def test_within_a_group_an_ordered_list_keeps_its_order() -> None:
    columns = [Column(name, "double", group="G") for name in ("mean", "other", "least", "most")]
    (section,) = sections_of(signature_of(*columns, ordered=(("least", "mean", "most"), ("most", "other"))))
    assert names_in(section) == ["least", "other", "mean", "most"]


def test_what_weighs_most_comes_first_if_that_is_wanted() -> None:
    names = [f"f{index}" for index in range(HEAVY + 3)]
    signature = signature_of(*(Column(name, "double") for name in names))
    heavy, light = sections_of(signature, {name: float(index) for index, name in enumerate(names[1:])})
    assert (heavy.kind, names_in(heavy)) == ("heavy", names[:2:-1])
    assert (light.kind, names_in(light)) == ("light", ["f2", "f0", "f1"])


@pytest.mark.parametrize(
    ("words", "hits"),
    [
        ("revenu", {0}),
        ("REVENÚ mens", {0}),
        ("AMT_INCOME", {0}),
        ("loyer", {1}),
        ("logement", {1}),
        ("revenu loyer", set()),
        ("<", set()),
    ],
)
def test_a_field_is_found_by_any_of_its_words(words: str, hits: set[int]) -> None:
    columns = (
        Column("AMT_INCOME", "double", label="Revenu mensuel"),
        Column("RENT", "double", label="Charges", description="Le loyer.", group="HOME", group_label="Logement"),
    )
    assert found(fields_of(signature_of(*columns)), words) == hits
