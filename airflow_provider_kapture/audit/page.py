"""The report of an audit as one self-contained HTML page, which needs no script."""

from __future__ import annotations

from html import escape

from airflow_provider_kapture.audit.heat_map import heat_maps
from airflow_provider_kapture.audit.page_style import STYLE
from airflow_provider_kapture.audit.report import KINDS, AuditReport
from airflow_provider_kapture.audit.text import age, months, state_of


def render_page(report: AuditReport) -> str:
    """Return the report as an HTML document: a heat map by day, months, findings, and all days."""
    body = "\n".join((_head(report), heat_maps(report), _findings(report), _months(report), _days(report)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Audit of {escape(report.destination)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _head(report: AuditReport) -> str:
    totals = report.totals()
    numbers = {
        "orders": f"{totals['rows']:,}",
        "days": f"{totals['days']:,}",
        "complete days": f"{totals['complete_days']:,}",
        "objects": f"{totals['objects']:,}",
        "findings": f"{len(report.findings):,}",
    }
    tiles = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers.items())
    made_at = report.made_at.isoformat(" ", timespec="minutes")
    return f"<h1>Audit of {escape(report.destination)}</h1>\n<p>Made at {made_at}</p>\n<dl>{tiles}</dl>"


def _findings(report: AuditReport) -> str:
    if not report.findings:
        return "<h2>Findings</h2>\n<p>None.</p>"
    lines = []
    for each in report.findings:
        date = "" if each.date is None else each.date.isoformat()
        uri = "" if each.uri is None else f"<br><code>{escape(each.uri)}</code>"
        kind = f'<td title="{escape(KINDS[each.kind])}"><b>{each.kind}</b></td>'
        lines.append(f'<tr>{kind}<td class="date">{date}</td><td>{escape(each.message)}{uri}</td></tr>')
    head = "<thead><tr><th>kind</th><th>day</th><th>what is wrong, and what to do</th></tr></thead>"
    return f'<h2>Findings</h2>\n<table class="list findings">{head}<tbody>\n{chr(10).join(lines)}\n</tbody></table>'


def _months(report: AuditReport) -> str:
    lines = []
    for name, found in months(report.days).items():
        numbers = (len(found), sum(each.rows for each in found), sum(each.size for each in found))
        count = sum(each.date is not None and f"{each.date:%Y-%m}" == name for each in report.findings)
        cells = "".join(f'<td class="number">{each:,}</td>' for each in (*numbers, count))
        lines.append(f"<tr><td>{name}</td>{cells}</tr>")
    names = "".join(f'<th class="number">{each}</th>' for each in ("days", "orders", "bytes", "findings"))
    head = f"<thead><tr><th>month</th>{names}</tr></thead>"
    return f'<h2>Months</h2>\n<table class="list">{head}<tbody>\n{chr(10).join(lines)}\n</tbody></table>'


def _days(report: AuditReport) -> str:
    lines = []
    for each in report.days:
        at = "unknown" if each.pulled_at is None else f"{each.pulled_at:%Y-%m-%d %H:%M}"
        lines.append(
            f'<tr><td class="date">{each.date}</td><td class="number">{each.rows:,}</td><td class="pulled">{at}</td>'
            f"<td>{age(report, each)}</td><td>{escape(state_of(each))}</td></tr>"
        )
    head = (
        '<thead><tr><th>day</th><th class="number">orders</th><th class="pulled">pulled at</th><th>age</th>'
        "<th>state</th></tr></thead>"
    )
    table = f'<table class="list days">{head}<tbody>\n{chr(10).join(lines)}\n</tbody></table>'
    return f"<details><summary>All {len(report.days):,} days</summary>\n{table}\n</details>"
