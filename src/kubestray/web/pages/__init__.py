"""The pages, one module a part of the console."""

from kubestray.web.pages import (
    administration,
    baselines,
    content,
    entering,
    entities,
    findings,
    oidc,
    risk,
    searching,
    suppressions,
)

PAGES = (
    findings,
    suppressions,
    entities,
    risk,
    searching,
    content,
    baselines,
    entering,
    oidc,
    administration,
)
