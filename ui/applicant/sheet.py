"""The decision on one applicant as a page to print or to keep: one HTML file that needs nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ui.applicant.explanation import effect_of, entries_of, notice_of
from ui.applicant.form import FormField
from ui.applicant.inputs import written
from ui.applicant.scoring import Scored
from ui.bars import COLORS, Bar
from ui.texts import NOTHING, Texts

MEDIA_TYPE = "text/html"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load and run nothing: neither does it need to, nor could a name in the model make it."""

CSS = """
@page {size: A4; margin: 11mm;}
* {box-sizing: border-box;}
body {font: 8.6pt/1.3 system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; color: #16212E; max-width: 188mm;
  margin: 0 auto; padding: 4mm 0; -webkit-print-color-adjust: exact; print-color-adjust: exact;}
h1 {font-size: 15pt; margin: 0;} h2 {font-size: 10.5pt; margin: 4mm 0 1.5mm;} p {margin: 0 0 1mm;}
.facts {display: grid; grid-template-columns: repeat(4, 1fr); gap: 1mm 4mm; margin: 3mm 0 0; padding: 2.5mm;
  border: 1px solid #C9D3DD; border-radius: 1.5mm;}
.facts dt, .small {color: #52606D; font-size: 7.6pt;} .facts dd {margin: 0; font-weight: 600; overflow-wrap: anywhere;}
.facts div:first-child dd {font-size: 12pt; line-height: 1.1;}
table {width: 100%; border-collapse: collapse;} th {text-align: left; font-weight: 600; color: #52606D; font-size: 7.6pt;}
td, th {padding: .6mm 1.5mm .6mm 0; border-bottom: 1px solid #E3E9EF; vertical-align: middle;}
td.number, th.number {text-align: right; font-variant-numeric: tabular-nums;}
td.bar {width: 34%;} td.bar span {display: block; height: 3mm; min-width: 1px;}
.notice {white-space: pre-line; border-left: 1mm solid #C9D3DD; padding-left: 3mm;}
.inputs {columns: 3; column-gap: 5mm; margin: 0; font-size: 7.6pt;}
.inputs div {display: flex; gap: 2mm; justify-content: space-between; break-inside: avoid; border-bottom: 1px solid #EEF2F6;}
.inputs dt {color: #52606D; overflow-wrap: anywhere;}
.inputs dd {margin: 0; text-align: right; font-weight: 600; max-width: 60%; flex-shrink: 0; overflow-wrap: anywhere;}
@media screen and (max-width: 640px) {
  body {padding: 4mm;} .inputs {columns: 1;} .facts {grid-template-columns: repeat(2, 1fr);}
}
"""


def sheet(say: Texts, scored: Scored, fields: Sequence[FormField]) -> str:
    """Write the page, in the language of `say`; every text in it is escaped."""
    parts = [
        f"<h1>{_said(say, 'sheet.title')}</h1>",
        _facts(say, scored),
        *_reasons(say, scored),
        *_inputs(say, scored, fields),
        f'<p class="small" style="margin-top:3mm">{_said(say, "sheet.footer")}</p>',
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_said(say, 'sheet.title')}</title><style>{CSS}</style>"
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="{say.language}"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def file_name(say: Texts, scored: Scored) -> str:
    """Return a name for the file, with the time of the score."""
    return say.plain("sheet.file", time=say.local(scored.at).strftime("%Y-%m-%d-%H%M%S"))


def _facts(say: Texts, scored: Scored) -> str:
    score = scored.score
    facts = [
        ("decision", score.decision or NOTHING),
        ("score", say.percent(score.score, 2)),
        ("threshold", say.percent(score.threshold, 2)),
        ("time", say.moment(scored.at)),
        ("model", score.model_version or NOTHING),
    ]
    kept: Mapping[str, object] = {}
    if (source := scored.source) is not None:
        place = say.plain("sheet.place", line=source.line, name=source.name, job=source.place.job_id)
        facts, kept = [*facts, ("portfolio", place)], source.kept
    named = [(say.plain(f"sheet.{name}"), value) for name, value in facts]
    named += [(name, written(value, say)) for name, value in kept.items()]
    return _pairs("facts", named)


def _reasons(say: Texts, scored: Scored) -> Iterable[str]:
    explanation = scored.score.explanation
    if explanation is None:
        return
    entries = entries_of(say, explanation)
    longest = max((abs(entry.value) for entry in entries), default=0.0) or 1.0
    headings = "".join(
        f"<th{kind}>{_said(say, f'applicant.{name}')}</th>"
        for name, kind in (("reason", ""), ("effect", ""), ("contribution", ' class="number"'))
    )
    rows = "".join(_row(say, entry, longest) for entry in entries)
    yield f"<h2>{_said(say, 'applicant.reasons')}</h2>"
    yield f"<table><thead><tr>{headings}<th></th></tr></thead><tbody>{rows}</tbody></table>"
    base, raw = (say.number(value, 3) for value in (explanation.base_value, explanation.raw_score))
    yield f'<p class="small">{_said(say, "sheet.sum", base=base, raw=raw)}</p>'
    if scored.adverse is not None:
        yield f"<h2>{_said(say, 'applicant.notice_title')}</h2>"
        yield f'<p class="notice">{escape(notice_of(say, scored.score, scored.adverse))}</p>'
        if scored.adverse.left_out:
            yield f'<p class="small">{_said(say, "applicant.left_out", count=scored.adverse.left_out)}</p>'


def _inputs(say: Texts, scored: Scored, fields: Sequence[FormField]) -> Iterable[str]:
    labels = {field.name: field.label for field in fields}
    # The model of a portfolio may have had other features than the live one.
    names = list(scored.row) if scored.source else list(labels)
    yield f"<h2>{_said(say, 'sheet.inputs', count=len(names))}</h2>"
    yield _pairs("inputs", ((labels.get(name, name), written(scored.row.get(name), say)) for name in names))


def _row(say: Texts, entry: Bar, longest: float) -> str:
    width = f"{abs(entry.value) / longest * 100:.1f}%"
    return (
        f"<tr><td>{escape(entry.name)}</td><td>{escape(effect_of(say, entry.side))}</td>"
        f'<td class="number">{escape(entry.written)}</td>'
        f'<td class="bar"><span style="width:{width};background:{COLORS[entry.side]}"></span></td></tr>'
    )


def _pairs(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    listed = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in pairs)
    return f'<dl class="{name}">{listed}</dl>'


def _said(say: Texts, key: str, **values: object) -> str:
    return escape(say.plain(key, **values))
