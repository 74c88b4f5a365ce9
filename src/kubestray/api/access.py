"""Accounts, API tokens and the audit log, for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, StringConstraints

from kubestray.api import accounts
from kubestray.api.accounts import Accounts, Role
from kubestray.api.asking import Admin, Asker, Here, Known, Viewer
from kubestray.api.body import Body
from kubestray.api.refusal import Refused, not_found
from kubestray.api.times import iso
from kubestray.pipeline.running import Running

router = APIRouter(tags=["access"])

_DAY = 86_400 * 10**9
AccountName = Annotated[str, Path(max_length=80)]


class Me(BaseModel):
    """Who asks."""

    name: str
    role: Role


class AccountState(BaseModel):
    """An account. ``origin`` is local, or the issuer that people log in with."""

    name: str
    role: Role
    disabled: bool
    has_password: bool
    origin: str
    created: datetime | None


class NewAccount(Body):
    """An account to make."""

    name: str = Field(max_length=80)
    role: Role = Role.VIEWER


class AccountChange(Body):
    """What shall be different of an account."""

    role: Role | None = None
    disabled: bool | None = None


class Link(BaseModel):
    """The path of a link that sets an account's password once."""

    path: str


class TokenState(BaseModel):
    """An API token, without its secret."""

    id: str
    account: str
    label: str
    role: Role
    created: datetime | None
    expires: datetime | None


Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class NewToken(Body):
    """A token to make."""

    label: Label
    role: Role = Role.VIEWER
    days: int | None = Field(
        default=90,
        ge=1,
        le=3650,
        description="How long it lasts; null is forever. One that a token makes ends with it.",
    )


class MadeToken(TokenState):
    """A token that was made; its secret is shown this once."""

    secret: str


class AuditEntry(BaseModel):
    """Who did what, and when."""

    time: datetime | None
    id: str
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


def account_state(account: accounts.Account) -> AccountState:
    """Return an account for programs."""
    return AccountState(
        name=account.name,
        role=account.role,
        disabled=account.disabled,
        has_password=account.has_password,
        origin=account.origin,
        created=iso(account.created),
    )


def token_state(token: accounts.Token) -> TokenState:
    """Return a token for programs."""
    return TokenState(
        id=token.id,
        account=token.account,
        label=token.label,
        role=token.role,
        created=iso(token.created),
        expires=iso(token.expires),
    )


def make_account(
    running: Running, known: Accounts, asker: Asker, wanted: NewAccount
) -> tuple[str, AccountState]:
    """Make an account; return the path of the link that sets its password."""
    made = known.create(wanted.name, wanted.role)
    running.documents.note(asker.name, "account.create", wanted.name, {"role": wanted.role})
    return link_path(known.link(wanted.name)), account_state(made)


def change_account(
    running: Running, known: Accounts, asker: Asker, name: str, wanted: AccountChange
) -> AccountState:
    """Give an account another role, or switch it off or on."""
    changed = known.change(name, role=wanted.role, disabled=wanted.disabled)
    running.documents.note(asker.name, "account.change", name, wanted.model_dump(exclude_none=True))
    return account_state(changed)


def make_link(running: Running, known: Accounts, asker: Asker, name: str) -> str:
    """Return the path of a new link that sets an account's password once."""
    secret = known.link(name)
    running.documents.note(asker.name, "account.link", name)
    return link_path(secret)


def link_path(secret: str) -> str:
    """Return the path of the page that a link opens."""
    return f"/login/link/{secret}"


def make_token(running: Running, known: Accounts, asker: Asker, wanted: NewToken) -> MadeToken:
    """Make a token for whoever asks; one that a token asks for ends with it at the latest.

    A token that is known to others for a while would else get them one for ever.
    """
    account = known.find(asker.name)
    if account is None or not asker.role.covers(wanted.role):
        raise Refused(403, "forbidden", f"the role {asker.role} makes no tokens of role {wanted.role}")
    lasts = wanted.days * _DAY if wanted.days else None
    if asker.until:
        left = max(1, asker.until - running.clock())
        lasts = min(lasts or left, left)
    secret, token = known.make_token(account, wanted.label, wanted.role, lasts)
    running.documents.note(asker.name, "token.create", token.id, {"label": wanted.label, "role": wanted.role})
    return MadeToken(**token_state(token).model_dump(), secret=secret)


def remove_token(running: Running, known: Accounts, asker: Asker, identity: str) -> None:
    """End a token: one's own, or as an admin anybody's."""
    found = next((one for one in known.tokens() if one.id == identity), None)
    if found is None or not (found.account == asker.name or asker.may(Role.ADMIN)):
        raise not_found("token", identity)
    known.remove_token(identity)
    running.documents.note(asker.name, "token.remove", identity, {"label": found.label})


def audit_log(
    running: Running, *, actor: str = "", before: int | None = None, most: int = 200
) -> list[AuditEntry]:
    """Return who did what, the latest first; ``before`` in nanoseconds."""
    return [
        AuditEntry(
            time=iso(one.time),
            id=one.id,
            actor=one.actor,
            action=one.action,
            target=one.target,
            detail=one.detail,
        )
        for one in running.documents.noted(actor=actor, before=before, most=most)
    ]


@router.get("/me")
def me(asker: Viewer) -> Me:
    """Return who asks, and as what."""
    return Me(name=asker.name, role=asker.role)


@router.get("/tokens")
def tokens(known: Known, asker: Viewer) -> list[TokenState]:
    """Return your own tokens."""
    return [token_state(one) for one in known.tokens(asker.name)]


@router.post("/tokens", status_code=201)
def tokens_new(here: Here, known: Known, asker: Viewer, wanted: NewToken) -> MadeToken:
    """Make a token; its secret is in this answer only."""
    return make_token(here, known, asker, wanted)


@router.delete("/tokens/{identity}", status_code=204)
def tokens_end(
    here: Here, known: Known, asker: Viewer, identity: Annotated[str, Path(max_length=64)]
) -> None:
    """End a token."""
    remove_token(here, known, asker, identity)


@router.get("/accounts")
def accounts_all(known: Known, _asker: Admin) -> list[AccountState]:
    """Return all accounts."""
    return [account_state(one) for one in known.all()]


@router.post("/accounts", status_code=201)
def accounts_new(here: Here, known: Known, asker: Admin, wanted: NewAccount) -> Link:
    """Make an account; the answer has the link with which its owner sets a password."""
    return Link(path=make_account(here, known, asker, wanted)[0])


@router.patch("/accounts/{name}")
def accounts_change(
    here: Here, known: Known, asker: Admin, name: AccountName, wanted: AccountChange
) -> AccountState:
    """Change an account."""
    return change_account(here, known, asker, name, wanted)


@router.post("/accounts/{name}/link", status_code=201)
def accounts_link(here: Here, known: Known, asker: Admin, name: AccountName) -> Link:
    """Make a link with which an account's owner sets a password anew."""
    return Link(path=make_link(here, known, asker, name))


@router.get("/audit")
def audit(
    here: Here,
    _asker: Admin,
    actor: Annotated[str, Query(max_length=80)] = "",
    most: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[AuditEntry]:
    """Return the audit log, the latest first."""
    return audit_log(here, actor=actor, most=most)
