"""The pages, one module a part of the console."""

from kubestray.web.pages import administration, content, entering, entities, risk, searching

PAGES = (entities, risk, searching, content, entering, administration)
