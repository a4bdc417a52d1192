"""How a file is divided into chunks: along its row groups where that is possible, and never at more than twice the work."""

from hypothesis import given
from hypothesis import strategies as st

from shared.formats.layout import Layout
from shared.jobs.plan import CHUNK_BYTES, MOST_DECODED, MOST_TIMES, choose_chunk_rows, decoded_rows

WANTED = 600_000
MILLION = 1_000_000


def layout(*rows: int, piece_bytes: int = 0, is_enterable: bool = False) -> Layout:
    return Layout(rows, piece_bytes, "", is_enterable)


def test_several_small_row_groups_are_one_chunk() -> None:
    duckdb = layout(*[122_880] * 40, 5)
    assert choose_chunk_rows(duckdb, WANTED) == 4 * 122_880
    assert decoded_rows(duckdb, 4 * 122_880) == duckdb.total


def test_a_million_tiny_row_groups_are_a_few_chunks() -> None:
    assert choose_chunk_rows(layout(*[1] * MILLION), WANTED) == WANTED


def test_a_row_group_that_is_a_little_larger_is_one_chunk() -> None:
    assert choose_chunk_rows(layout(*[800_000] * 5), WANTED) == 800_000
    assert choose_chunk_rows(layout(*[1_048_576] * 9, 77), WANTED) == 1_048_576


def test_a_row_group_of_some_chunks_is_divided_evenly() -> None:
    halves = layout(*[1_048_576] * 9, 77)
    assert choose_chunk_rows(halves, 400_000) == 524_288
    assert decoded_rows(halves, 524_288) <= 1.5 * halves.total


def test_a_row_group_of_very_many_chunks_is_better_read_once() -> None:
    assert choose_chunk_rows(layout(50 * MILLION), WANTED) is None


def test_a_record_batch_of_very_many_chunks_can_be_entered_anywhere() -> None:
    assert choose_chunk_rows(layout(50 * MILLION, is_enterable=True), WANTED) == WANTED


def test_row_groups_of_all_sizes_make_larger_chunks_if_they_must() -> None:
    spark = layout(*[1_300_000, 900_000, 1_100_000, 1_250_000] * 5)
    assert choose_chunk_rows(spark, WANTED) in (WANTED, 2 * WANTED, 3 * WANTED, 650_000)


def test_wide_rows_make_small_chunks() -> None:
    wide = layout(*[1000] * 100, piece_bytes=100_000 * 20_000)
    size = choose_chunk_rows(wide, WANTED)
    assert size is not None
    assert 0 < size * 20_000 <= CHUNK_BYTES
    assert size % 1000 == 0


def test_row_groups_without_rows_do_no_harm() -> None:
    assert choose_chunk_rows(layout(0, 10, 0, 10, 0), 10) == 10


@given(
    rows=st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any),
    wanted=st.integers(1, 200),
    piece_bytes=st.integers(0, 10 * CHUNK_BYTES),
    is_enterable=st.booleans(),
)
def test_whatever_is_chosen_costs_no_more_than_it_may(
    rows: list[int], wanted: int, piece_bytes: int, is_enterable: bool
) -> None:
    file = layout(*rows, piece_bytes=piece_bytes, is_enterable=is_enterable)
    size = choose_chunk_rows(file, wanted)
    if size is not None:
        assert 1 <= size <= MOST_TIMES * wanted
        assert decoded_rows(file, size) <= MOST_DECODED * file.total
        starts = [sum(rows[:i]) for i in range(len(rows))]
        again = sum(first - max(s for s in starts if s <= first) for first in range(0, file.total, size))
        assert is_enterable or decoded_rows(file, size) == file.total + again
