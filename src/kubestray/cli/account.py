"""``kubestray account link NAME``: a way back in for whoever may write to the store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read

if TYPE_CHECKING:
    from kubestray.api.accounts import Accounts


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    told = "print a link that sets the password of an account once, within a day; earlier links of it end"
    link = actions.add_parser("link", help=told, description=told[0].upper() + told[1:] + ".")
    link.add_argument("name", metavar="NAME", help="the account's name, such as admin")
    options.actor(link, "who makes it, for the audit log")
    options.settings(link, "http", "console_url", "tls_certificate")


def run(parsed: argparse.Namespace) -> int:
    """Print the link; the account and its sessions stay as they are until it is used."""
    from kubestray.api.access import link_path
    from kubestray.api.accounts import Accounts
    from kubestray.cli.console_address import console_address
    from kubestray.store.documents import Documents

    config = options.configure(parsed)
    with opened_to_read(config) as store:
        documents = Documents(store)
        accounts = Accounts(documents, store.clock)
        _check(accounts, parsed.name)
        secret = accounts.link(parsed.name)
        documents.note(parsed.actor, "account.link", parsed.name, {"from": "command line"})
    output.note(
        f"whoever opens this first, within a day, sets the password of {parsed.name!r} and is logged in; "
        "earlier links of it have ended"
    )
    print(f"{console_address(config, config['http'])}{link_path(secret)}")
    return 0


def _check(accounts: Accounts, name: str) -> None:
    """Raise `UsageError` if a link is of no use to an account, or there is none of that name."""
    from kubestray.model.errors import UsageError
    from kubestray.search.nearest import nearest

    known = {one.name: one for one in accounts.all()}
    found = known.get(name)
    if not known:
        raise UsageError(
            f"there is no account {name!r}, nor any other in this store: look whether --store names the one "
            "that serve uses; serve writes a link for the first admin to its log"
        )
    if found is None:
        meant = nearest(name, known) or f"there are {', '.join(known)}"
        raise UsageError(f"there is no account {name!r}; {meant}")
    if found.origin != "local":
        raise UsageError(
            f"the account {name!r} logs in at {found.origin} and has no password here; "
            "name an account that is local, or see to it at that provider"
        )
    if found.disabled:
        raise UsageError(f"the account {name!r} is disabled; an admin can enable it on the page Accounts")
