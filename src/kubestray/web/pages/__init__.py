"""The pages, one module a part of the console."""

from kubestray.web.pages import administration, content, entering, risk, searching

PAGES = (searching, content, risk, entering, administration)
