"""The pages, one module a part of the console."""

from kubestray.web.pages import (
    administration,
    content,
    entering,
    entities,
    findings,
    oidc,
    risk,
    searching,
)

PAGES = (findings, entities, risk, searching, content, entering, oidc, administration)
