"""The page behind a link in a push: one tap acknowledges, for one officer and one case, without signing in.

A GET changes nothing, whoever fetches it: messengers and mail gateways look at links before people do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.console.access import Guest, answer, origin_of, public_endpoint, too_many
from streams.console.dependencies import ConsoleDependencies
from streams.console.views import Naming, case_view
from streams.duty.accounts.officers import actor_for
from streams.duty.cases import service
from streams.duty.database.models import Case, Officer
from streams.duty.lifecycle import NEW
from streams.duty.notify.links import LinkRefused, read_link
from streams.duty.refusals import Refused


@dataclass(frozen=True)
class Invitation:
    """A good link: its officer, and the case as it stands."""

    officer: Officer
    case: Case


class NotForYou(Exception):
    """The link is good, but not for this: `another` is signed in, or the case has `moved` to somebody else."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of links."""

    async def tap(request: Request) -> Response:
        return await run_in_threadpool(answer, deps, request, acknowledge)

    return [Route("/a/{token}", public_endpoint(deps, look)), Route("/a/{token}", tap, methods=["POST"])]


def look(guest: Guest) -> Response:
    """What the link is for, and the button."""
    try:
        with guest.deps.database.reading() as session:
            invitation = _invited(guest, session)
    except (LinkRefused, NotForYou) as refused:
        return _refusal(guest, refused.reason)
    naming = Naming(guest.words, guest.deps.regions, guest.deps.known)
    return guest.render(
        "link.html",
        case=case_view(invitation.case, naming, guest.now),
        officer=invitation.officer.name,
        acknowledgeable=invitation.case.state == NEW,
    )


def acknowledge(guest: Guest) -> Response:
    """The tap: the link's officer has the case. What is no link of ours costs its address; a good one nobody."""
    try:
        with guest.deps.database.writing() as session:
            invitation = _invited(guest, session)
            actor = actor_for(invitation.officer, origin_of(guest.request).replace("console:", "link:", 1))
            service.acknowledge(session, guest.deps.desk(), actor, guest.now, invitation.case.id)
            officer, case = invitation.officer.name, invitation.case.id
    except LinkRefused as refused:
        wait = guest.deps.taps.wait(origin_of(guest.request), guest.now.timestamp())
        return too_many(guest, wait) if wait else _refusal(guest, refused.reason)
    except NotForYou as refused:
        return _refusal(guest, refused.reason)
    except Refused as refused:
        if refused.status == 409:
            return guest.message(guest.words("link_title"), guest.words("link_done"), 409)
        return _refusal(guest, "moved")
    thanks = guest.words("link_thanks_text", officer=officer, case=case)
    return guest.message(guest.words("link_thanks"), thanks, 200, signable=True)


def _invited(guest: Guest, session: Any) -> Invitation:
    """Whom and what the link is for, as long as it may be used by whoever is here."""
    link = read_link(guest.deps.key, guest.request.path_params["token"], guest.now.timestamp())
    officer = session.get(Officer, int(link.officer)) if link.officer.isdecimal() else None
    case = session.get(Case, int(link.case)) if link.case.isdecimal() else None
    if officer is None or case is None or not officer.active:
        raise NotForYou("moved")
    if guest.visitor is not None and guest.visitor.officer_id != officer.id:
        raise NotForYou("another")
    if case.state == NEW and case.assignee_id not in (None, officer.id):
        raise NotForYou("moved")
    return Invitation(officer, case)


def _refusal(guest: Guest, reason: str) -> Response:
    heading, text = guest.words("link_refused"), guest.words(f"link_{reason}")
    return guest.message(heading, text, 410 if reason == "expired" else 403, signable=True)
