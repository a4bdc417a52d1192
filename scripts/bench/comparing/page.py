"""Places in a page that commands write, each between two lines that say so."""

from pathlib import Path

from scripts.bench.comparing.environments import CannotCompare

PEERS, BREAKDOWN = "scripts/bench/peers.py", "scripts/bench/breakdown.py"
"""The commands."""


def rewrite(page: Path, command: str, content: str) -> None:
    """Put what a command has found into its place in a page; raises CannotCompare if it has none."""
    before, after = around(page, command)
    page.write_text(f"{before}\n\n{content}\n\n{after}", encoding="utf-8")


def around(page: Path, command: str) -> tuple[str, str]:
    """Give what stands before and after the place of a command, with its marks; raises CannotCompare if it has none."""
    begin, end = marks(command)
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise CannotCompare(f"{page} has no place for the tables: write the lines {begin} and {end} into it.")
    return before + begin, end + after


def marks(command: str) -> tuple[str, str]:
    """Give the lines between which a command writes."""
    return f"<!-- {command} writes from here -->", f"<!-- to here: {command} -->"
