"""Who may use the console and the API: local accounts, their passwords, one-time links and API tokens.

All of them are documents in the store. Passwords are kept as argon2id hashes; of links and tokens only a
SHA-256 is kept: they are 256 random bits, which nobody guesses.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kubestray.api.refusal import Refused
from kubestray.store.documents import Documents

_ACCOUNT, _LINK, _TOKEN, _ENDED = "account", "link", "token", "ended"
_REMEMBER = 3.0  # seconds; another server's change is seen after them
_LINK_LASTS = 24 * 3600 * 10**9
_AT_ONCE = 8
"""So many passwords are checked or wait for it at once."""
_SHORTEST = 12
_LONGEST = 1024
_NAME = re.compile(r"(?=.*\w)[\w.@+-]{1,80}")
TOKEN_PREFIX = "kst_"  # noqa: S105 (what tokens begin with is no secret)
"""What API tokens begin with, so that scanners for leaked secrets can tell them."""


class Role(StrEnum):
    """What an account may do; each role may do what those before it may."""

    VIEWER = "viewer"
    """Look at everything, and search."""
    ANALYST = "analyst"
    """Also act on findings and run searches that write lookups."""
    ADMIN = "admin"
    """Also switch detections, manage accounts and read the audit log."""

    def covers(self, other: Role) -> bool:
        """Return whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Account:
    """An account; ``stamp`` changes with its password, and sessions that have the old one end."""

    name: str
    role: Role
    stamp: str
    disabled: bool
    has_password: bool
    origin: str
    created: int


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret. ``expires`` in nanoseconds; 0 is never."""

    id: str
    account: str
    label: str
    role: Role
    created: int
    expires: int


class Accounts:
    """The accounts of a store. Safe to use from several threads."""

    def __init__(self, documents: Documents, clock: Callable[[], int]) -> None:
        self._documents, self._clock = documents, clock
        self._hasher = PasswordHasher()
        self._nobody = ""
        self._working = threading.Semaphore(2)  # a hash takes 64 MiB
        self._asking = threading.Semaphore(_AT_ONCE)
        self._remembered: dict[str, tuple[float, dict[str, dict[str, Any]]]] = {}

    def all(self) -> list[Account]:
        """Return all accounts, by name."""
        return [_account(name, fields) for name, fields in self._read(_ACCOUNT).items()]

    def find(self, name: str) -> Account | None:
        """Return an account that is not disabled."""
        fields = self._read(_ACCOUNT).get(name)
        found = _account(name, fields) if fields else None
        return found if found and not found.disabled else None

    def create(self, name: str, role: Role, origin: str = "local") -> Account:
        """Make an account, which cannot log in before it has a password or comes by OIDC."""
        if not _NAME.fullmatch(name):
            hint = "1 to 80 letters, digits, and any of . @ + - _; not marks alone"
            raise Refused(400, "bad_name", f"{name!r} is no name for an account", hint)
        if name in self._documents.all(_ACCOUNT):
            raise Refused(400, "exists", f"there is an account {name!r} already")
        fields = {"role": role, "password": None, "stamp": secrets.token_hex(8), "origin": origin}
        self._put(_ACCOUNT, name, {**fields, "disabled": False, "created": self._clock()})
        return _account(name, self._read(_ACCOUNT)[name])

    def enter(self, name: str, role: Role, issuer: str, subject: str) -> Account:
        """Return the account of somebody whom a provider has let in, made if there is none yet.

        Who it is, is what the provider's subject says and never the name: an account of the same name that
        is local, or somebody else's, is not theirs.
        """
        if not _NAME.fullmatch(name):
            raise Refused(403, "oidc", f"{name!r}, as the provider calls you, is no name for an account")
        known = self._documents.get(_ACCOUNT, name)
        if known is None:
            self.create(name, role, issuer)
            known = self._existing(name)
        elif known.get("origin") != issuer or known.get("subject") not in (None, subject):
            raise Refused(
                403, "oidc", f"the account {name!r} is not yours", "an admin can look on the page Accounts"
            )
        if known["disabled"]:
            raise Refused(403, "disabled", "your account is disabled")
        if (known.get("subject"), known["role"]) != (subject, role):
            known = {**known, "subject": subject, "role": role}
            self._put(_ACCOUNT, name, known)
        return _account(name, known)

    def change(self, name: str, *, role: Role | None = None, disabled: bool | None = None) -> Account:
        """Give an account another role, or take away or give back its access; one admin must stay."""
        fields = dict(self._existing(name))
        changed = {"role": role, "disabled": disabled}
        fields |= {key: value for key, value in changed.items() if value is not None}
        after = _account(name, fields)
        others = [one for one in self.all() if one.name != name]
        if not any(one.role is Role.ADMIN and not one.disabled for one in (*others, after)):
            raise Refused(400, "last_admin", "this is the last admin", "make another account admin first")
        if disabled:
            fields["stamp"] = secrets.token_hex(8)
        self._put(_ACCOUNT, name, fields)
        return after

    def set_password(self, name: str, password: str) -> None:
        """Set a password; all sessions of the account end."""
        if not _SHORTEST <= len(password) <= _LONGEST:
            message = f"a password has at least {_SHORTEST} characters"
            raise Refused(400, "password", message, "several words in a row are easy to remember")
        with self._working:
            hashed = self._hasher.hash(password)
        self._put(_ACCOUNT, name, {**self._existing(name), "password": hashed, "stamp": secrets.token_hex(8)})

    def verify(self, name: str, password: str) -> Account | None:
        """Return the account that a name and password belong to; it takes as long if there is none.

        Raises `Refused` where many wait for this already: anybody can ask, and each holds up a thread of
        those that answer everything else.
        """
        if not self._asking.acquire(blocking=False):
            raise Refused(429, "busy", "many are logging in at this moment", "try again in a few seconds")
        try:
            return self._verified(name, password)
        finally:
            self._asking.release()

    def _verified(self, name: str, password: str) -> Account | None:
        fields = self._read(_ACCOUNT).get(name) or {}
        hashed = fields.get("password")
        with self._working:
            self._nobody = self._nobody or self._hasher.hash(secrets.token_hex())
            try:
                self._hasher.verify(hashed or self._nobody, password[:_LONGEST])
            except (VerificationError, InvalidHashError):
                return None
        return self.find(name) if hashed else None

    def link(self, name: str) -> str:
        """Return the secret of a link that sets the account's password once; earlier ones end.

        Raises `Refused` for an account that logs in at a provider: with a password it could still come in
        when the provider lets it in no more.
        """
        origin = self._existing(name).get("origin", "local")
        if origin != "local":
            message = f"the account {name!r} logs in at {origin} and has no password here"
            raise Refused(400, "no_password", message, "see to it at that provider")
        for key, fields in self._documents.all(_LINK).items():
            if fields["account"] == name:
                self._documents.remove(_LINK, key)
        secret = secrets.token_urlsafe(32)
        self._documents.put(_LINK, _hashed(secret), {"account": name, "expires": self._clock() + _LINK_LASTS})
        return secret

    def linked(self, secret: str) -> str | None:
        """Return the account whose password a link may set, if it has not been used and is not too old."""
        fields = self._documents.get(_LINK, _hashed(secret))
        return str(fields["account"]) if fields and fields["expires"] > self._clock() else None

    def use_link(self, secret: str, password: str) -> Account:
        """Set a password by a link, which is used up then."""
        name = self.linked(secret)
        if name is None:
            hint = "links work once, for a day; an admin makes another, or kubestray account link NAME does"
            raise Refused(404, "link", "this link has been used or is too old", hint)
        self.set_password(name, password)
        self._documents.remove(_LINK, _hashed(secret))
        account = self.find(name)
        if account is None:
            raise Refused(403, "disabled", "the account is disabled")
        return account

    def first_link(self) -> str | None:
        """Return a link for the first admin, as long as no admin can log in."""
        accounts = self.all()
        admins = [one for one in accounts if one.role is Role.ADMIN and not one.disabled]
        if any(one.has_password or one.origin != "local" for one in admins):
            return None
        name = admins[0].name if admins else self.create("admin", Role.ADMIN).name
        return self.link(name)

    def make_token(self, account: Account, label: str, role: Role, lasts: int | None) -> tuple[str, Token]:
        """Return a new token's secret, which is never shown again, and the token; ``lasts`` in ns."""
        if not account.role.covers(role):
            raise Refused(403, "forbidden", f"an account of role {account.role} has no tokens of role {role}")
        secret, now = TOKEN_PREFIX + secrets.token_urlsafe(32), self._clock()
        fields = {"account": account.name, "label": label, "role": role, "created": now}
        key = _hashed(secret)
        self._put(_TOKEN, key, {**fields, "expires": now + lasts if lasts else 0})
        return secret, _token(key, self._read(_TOKEN)[key])

    def tokens(self, account: str | None = None) -> list[Token]:
        """Return the tokens of an account, or all."""
        found = [_token(key, fields) for key, fields in self._read(_TOKEN).items()]
        return [one for one in found if account in (None, one.account)]

    def remove_token(self, identity: str) -> None:
        """Make a token useless."""
        for key in self._documents.all(_TOKEN):
            if key[:16] == identity:
                self._documents.remove(_TOKEN, key)
        self._remembered.pop(_TOKEN, None)

    def bearer(self, secret: str) -> tuple[Account, Token] | None:
        """Return whose token this is, if it is one."""
        key = _hashed(secret)
        fields = self._read(_TOKEN).get(key)
        if not fields or 0 < fields["expires"] <= self._clock():
            return None
        account = self.find(fields["account"])
        return (account, _token(key, fields)) if account else None

    def end_session(self, session: str, lasts: int) -> None:
        """Have a session of this identity count no more; its cookie is good for nothing after ``lasts`` s."""
        now = self._clock()
        for key, fields in self._documents.all(_ENDED).items():
            if fields["until"] < now:
                self._documents.remove(_ENDED, key)
        self._put(_ENDED, _hashed(session), {"until": now + lasts * 10**9})

    def has_ended(self, session: str) -> bool:
        """Return whether somebody has logged out of a session."""
        return _hashed(session) in self._read(_ENDED)

    def _existing(self, name: str) -> dict[str, Any]:
        fields = self._documents.get(_ACCOUNT, name)
        if fields is None:
            raise Refused(404, "not_found", f"there is no account {name!r}")
        return fields

    def _put(self, kind: str, name: str, fields: dict[str, Any]) -> None:
        self._documents.put(kind, name, fields)
        self._remembered.pop(kind, None)

    def _read(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the documents of a kind, as they were a moment ago at most: every request asks."""
        kept = self._remembered.get(kind)
        if kept is None or kept[0] < time.monotonic():
            kept = self._remembered[kind] = (time.monotonic() + _REMEMBER, self._documents.all(kind))
        return kept[1]


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _account(name: str, fields: dict[str, Any]) -> Account:
    password = fields["password"] is not None
    role, origin = Role(fields["role"]), fields.get("origin", "local")
    return Account(name, role, fields["stamp"], fields["disabled"], password, origin, fields["created"])


def _token(key: str, fields: dict[str, Any]) -> Token:
    account, label, role = fields["account"], fields["label"], Role(fields["role"])
    return Token(key[:16], account, label, role, fields["created"], fields["expires"])
