"""The pages of cases: the list, one case with its evidence and timeline, and what officers do with it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response
from starlette.routing import Route

from schemas.departments import Department
from schemas.errors import Unavailable
from schemas.levels import LEVELS
from streams.console.access import Visit, action, go, page
from streams.console.behind import behind
from streams.console.chart import Chart, draw
from streams.console.dependencies import ConsoleDependencies
from streams.console.evidence import Evidence, find, place_of, wanted_of
from streams.console.forms import bytes_of
from streams.console.rendering import moment
from streams.console.views import Naming, case_view, entry_views
from streams.duty.cases import attachments, queries, service
from streams.duty.database.models import Case, Officer
from streams.duty.lifecycle import STATES, VERDICTS
from streams.duty.refusals import Invalid, Refused
from streams.duty.rosters.desk import Desk

log = logging.getLogger("liaowang.console")

EACH = 50
DEEPEST = 200
TYPES = ("JPEG", "PNG", "PDF", "DOCX", "XLSX", "TXT", "CSV")
Act = Callable[[Session, Desk, Visit, int, FormData], Any]


@dataclass(frozen=True)
class Wish:
    """What a list of cases is narrowed to, as its address says."""

    whose: str = "mine"
    state: str = "open"
    level: str = ""
    region: str = ""
    rule: str = ""
    verdict: str = ""
    drill: str = ""

    def filters(self, login: str, now: datetime) -> queries.Filters:
        """The same for the service layer."""
        return queries.Filters(
            states=(self.state,) if self.state in STATES else (),
            levels=(self.level,) if self.level else (),
            region=self.region,
            rule=self.rule,
            assignee=login if self.whose == "mine" else "",
            open=True if self.state == "open" else None,
            overdue=now if self.state == "overdue" else None,
            verdict=self.verdict,
            drill=self.drill == "yes" if self.drill else None,
        )


def wish_of(given: Mapping[str, str]) -> Wish:
    """The wish in a query; what is no such value does not narrow."""

    def one(name: str, values: tuple[str, ...], otherwise: str) -> str:
        return given[name] if given.get(name) in values else otherwise

    return Wish(
        whose=one("whose", ("mine", "all"), "mine"),
        state=one("state", (*STATES, "open", "any", "overdue"), "open"),
        level=one("level", LEVELS, ""),
        region=given.get("region", "")[:6],
        rule=given.get("rule", "")[:200],
        verdict=one("verdict", VERDICTS, ""),
        drill=one("drill", ("yes", "no"), ""),
    )


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of cases."""
    acts: dict[str, Act] = {
        "acknowledge": lambda s, d, v, i, f: service.acknowledge(s, d, v.actor, v.now, i),
        "start": lambda s, d, v, i, f: service.start(s, d, v.actor, v.now, i),
        "dispose": lambda s, d, v, i, f: service.dispose(s, d, v.actor, v.now, i, done=_said(f, "done")),
        "confirm": lambda s, d, v, i, f: service.confirm(
            s, d, v.actor, v.now, i, verdict=_said(f, "verdict"), text=_said(f, "text")
        ),
        "close": lambda s, d, v, i, f: service.close(s, d, v.actor, v.now, i, text=_said(f, "text")),
        "reopen": lambda s, d, v, i, f: service.reopen(s, d, v.actor, v.now, i, text=_said(f, "text")),
        "reassign": lambda s, d, v, i, f: service.reassign(
            s, d, v.actor, v.now, i, to=_said(f, "to"), text=_said(f, "text")
        ),
        "escalate": lambda s, d, v, i, f: service.escalate(s, d, v.actor, v.now, i, text=_said(f, "text")),
        "merge": lambda s, d, v, i, f: service.merge(s, d, v.actor, v.now, i, into=_number(f, "into")),
        "feedback": lambda s, d, v, i, f: service.require_feedback(
            s,
            d,
            v.actor,
            v.now,
            i,
            question=_said(f, "question"),
            regions=[str(code) for code in f.getlist("regions")],
        ),
        "comment": lambda s, d, v, i, f: service.comment(s, d, v.actor, v.now, i, text=_said(f, "text")),
    }
    made = [
        Route("/cases", page(deps, list_cases)),
        Route("/cases/{case:int}", page(deps, show_case, deps.query_slots)),
        Route("/cases/{case:int}/attachments/{file:int}", page(deps, show_attachment)),
    ]
    attaching = action(deps, attach, most=attachments.LARGEST)
    made.append(Route("/cases/{case:int}/attach", attaching, methods=["POST"]))
    made += [
        Route(f"/cases/{{case:int}}/{verb}", action(deps, _doing(act)), methods=["POST"])
        for verb, act in acts.items()
    ]
    return made


def list_cases(visit: Visit) -> Response:
    """The cases a visitor may see, narrowed as the address says; his own and open ones where it says nothing."""
    deps, query = visit.deps, visit.request.query_params
    wish, number = wish_of(query), page_number(query.get("page", "1"))
    with deps.database.reading() as session:
        found = queries.find_cases(
            session,
            visit.actor,
            deps.regions,
            wish.filters(visit.actor.who, visit.now),
            limit=EACH,
            offset=(number - 1) * EACH,
        )
    naming = naming_of(visit)

    def link(to: int) -> str:
        return f"/cases?{urlencode({**vars(wish), 'page': to})}"

    return visit.render(
        "cases.html",
        active="cases",
        heading=visit.words("heading_mine" if wish.whose == "mine" else "heading_all"),
        filters=wish,
        cases=[case_view(case, naming, visit.now) for case in found.items],
        total=found.total,
        page=number,
        pages=max(1, min(DEEPEST, math.ceil(found.total / EACH))),
        link=link,
        regions=(*_tree(visit),),
        rules=sorted(deps.rules.values(), key=lambda rule: rule.id),
    )


def show_case(
    visit: Visit, fault: str = "", given: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    """One case: what it is, what was done, what may be done, and the evidence as far as the warehouse tells."""
    deps, desk = visit.deps, visit.deps.desk()
    with deps.database.reading() as session:
        case = service.visible(session, desk, visit.actor, visit.request.path_params["case"])
        entries = queries.entries_of(session, case)
        files = queries.attachments_of(session, case)
        officers = session.execute(sa.select(Officer.login, Officer.name, Officer.active)).all()
    verbs = queries.allowed(visit.actor, case, deps.regions)
    evidence, trouble = _evidence(visit, case)
    names = {login: name for login, name, _ in officers}
    return visit.render(
        "case.html",
        status,
        active="cases",
        fault=fault,
        given=given or {},
        case=case_view(case, naming_of(visit), visit.now),
        verbs=verbs,
        can_write="comment" in verbs,
        entries=entry_views(entries, names, visit.words),
        attachments=[
            (file.id, file.name, file.size, names.get(file.who, file.who), file.at) for file in files
        ],
        officers=[row for row in officers if row.active],
        regions=(*_tree(visit),),
        behind=_behind(visit, case),
        trouble=trouble,
        chart=_chart(evidence),
        unit=evidence.series.unit if evidence else "",
        messages=evidence.messages if evidence else (),
        topic=evidence.topic if evidence else "",
        media_types=", ".join(sorted(TYPES)),
        most=attachments.LARGEST,
    )


def show_attachment(visit: Visit) -> Response:
    """A file of a case, to be saved: it is never shown as a page of this origin."""
    wanted, desk = visit.request.path_params, visit.deps.desk()
    with visit.deps.database.reading() as session:
        file = attachments.content_of(session, desk, visit.actor, wanted["case"], wanted["file"])
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(file.content, media_type=file.media_type, headers=headers)


def attach(visit: Visit, form: FormData) -> Response:
    """Add a file to a case."""
    case, file = visit.request.path_params["case"], form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Invalid("choose a file", "file")
        content = bytes_of(file, attachments.LARGEST)
        with visit.writing() as session:
            attachments.attach(
                session,
                visit.deps.desk(),
                visit.actor,
                visit.now,
                case,
                name=file.filename,
                media_type=file.content_type or "",
                content=content,
            )
    except Refused as refused:
        return _refused(visit, refused, form)
    return go(f"/cases/{case}")


def _doing(act: Act) -> Callable[[Visit, FormData], Response]:
    """The handler of one verb: do it and go back to the case; a refusal is told there, what was typed is kept."""

    def handle(visit: Visit, form: FormData) -> Response:
        case, desk = visit.request.path_params["case"], visit.deps.desk()
        try:
            with visit.writing() as session:
                act(session, desk, visit, case, form)
        except Refused as refused:
            return _refused(visit, refused, form)
        return go(f"/cases/{case}")

    return handle


def _refused(visit: Visit, refused: Refused, form: FormData) -> Response:
    given = {key: value for key, value in form.items() if isinstance(value, str)}
    return show_case(visit, refused.reason, given, refused.status)


def _evidence(visit: Visit, case: Case) -> tuple[Evidence | None, str]:
    """The evidence, and why there is none where the warehouse does not tell."""
    wanted = wanted_of(
        visit.deps.known,
        visit.deps.contracts,
        case.rule,
        subject=case.subject,
        timeline=case.timeline,
        at=case.occurred,
        place=place_of(case.evidence),
        marks=((case.occurred, visit.words("warned") + moment(case.occurred)[4:].replace("-", " ", 1)),),
    )
    if wanted is None or case.kind != "warning":
        return None, ""
    try:
        return find(visit.deps.service, wanted), ""
    except Unavailable as error:
        log.warning("the evidence of case %d: %s", case.id, error)
        return None, str(error)


def _behind(visit: Visit, case: Case) -> list[tuple[str, Department | None]]:
    """Whom to call about what the warning was made of."""
    rule = visit.deps.known.get(case.rule) if case.kind == "warning" else None
    return behind(rule, visit.deps.known, visit.deps.contracts, visit.deps.departments())


def _chart(evidence: Evidence | None) -> Chart | None:
    return draw(evidence.series) if evidence is not None else None


def naming_of(visit: Visit) -> Naming:
    """Names in the visitor's language."""
    return Naming(visit.words, visit.deps.regions, visit.deps.known)


def _tree(visit: Visit) -> list[Any]:
    """Cities, each followed by its counties."""
    regions = visit.deps.regions
    return [each for city in regions.cities for each in (city, *regions.counties_of(city.code))]


def _said(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int:
    text = _said(form, name).strip().lstrip("#")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid("must be the number of a case", name)
    return int(text)


def page_number(text: str) -> int:
    """The page an address asks for; the first where it names none."""
    return min(DEEPEST, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 6 else 1
