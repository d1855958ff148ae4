"""A contract as it is in force: what its file says, and what its department says for all its contracts. Pure.

Only the document changes by it (team, support, service levels): a new telephone is no new version of a contract.
"""

from __future__ import annotations

from typing import Any

from schemas.contract import Contract
from schemas.declaration import read_yaml
from schemas.departments import Department, Departments

Document = dict[str, Any]


def effective_contract(contract: Contract, departments: Departments) -> Document:
    """The document of the Open Data Contract Standard, whole: its own words go over those of the department."""
    document: Document = read_yaml(contract.path).value
    department = departments.get(contract.department)
    return document if department is None else with_department(document, department)


def with_department(document: Document, department: Department) -> Document:
    """The document with the department's team and support where it has none, and the service levels it lacks."""
    found = dict(document)
    found.setdefault("team", _team(department))
    if support := _support(department):
        found.setdefault("support", support)
    own: list[Document] = list(document.get("slaProperties") or [])
    said = {level["property"] for level in own}
    table = document["schema"][0]["name"]
    levels = own + [
        {
            "property": each.property,
            "value": each.value,
            **({"unit": each.unit} if each.unit else {}),
            "element": table,
        }
        for each in department.service_levels
        if each.property not in said
    ]
    if levels:
        found["slaProperties"] = levels
    return {key: found[key] for key in (*_before_schema(found), *found) if key in found}


def _before_schema(found: Document) -> list[str]:
    """The keys as people write them: who answers for it stands before the fields."""
    late = ("schema", "customProperties")
    return [key for key in found if key not in late]


def _team(department: Department) -> Document:
    name, office = department.name["en"], department.contact.office.get("en", "")
    return {
        "name": f"{name}, {office}" if office else name,
        "description": " ".join(
            filter(None, (department.name["zh"], department.contact.office.get("zh", "")))
        ),
        "members": [{"username": login, "role": "owner"} for login in department.contact.stewards],
    }


def _support(department: Department) -> list[Document]:
    found = [{key: value for key, value in vars(channel).items() if value} for channel in department.channels]
    contact = department.contact
    if contact.phone:
        url = f"tel:{''.join(sign for sign in contact.phone if sign in '+0123456789')}"
        found.append({"channel": contact.phone, "tool": "phone", "scope": "issues", "url": url})
    if contact.email:
        url = f"mailto:{contact.email}"
        found.append({"channel": contact.email, "tool": "email", "scope": "issues", "url": url})
    return found
