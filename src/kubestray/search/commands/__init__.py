"""The commands of the language, one module each.

A command's module has a docstring, which is its page in the manual, and two functions::

    parse(cursor, at) -> Command          reads what follows the command's name
    plan(command, relation, context) -> Relation

`MODULES` is the list; adding a command adds a module and a line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from kubestray.search.cursor import Cursor
    from kubestray.search.relation import Context, Relation
    from kubestray.search.syntax import Command

MODULES = {
    "accum": "accum",
    "addcoltotals": "addcoltotals",
    "addinfo": "addinfo",
    "addtotals": "addtotals",
    "append": "append",
    "appendcols": "appendcols",
    "appendpipe": "appendpipe",
    "autoregress": "autoregress",
    "bin": "bin",
    "bucket": "bin",
    "chart": "chart",
    "collect": "collect",
    "contingency": "contingency",
    "convert": "convert",
    "dedup": "dedup",
    "delta": "delta",
    "eval": "eval",
    "eventcount": "eventcount",
    "eventstats": "eventstats",
    "extract": "extract",
    "fieldformat": "fieldformat",
    "fields": "fields",
    "fieldsummary": "fieldsummary",
    "filldown": "filldown",
    "fillnull": "fillnull",
    "foreach": "foreach",
    "format": "format",
    "gentimes": "gentimes",
    "head": "head",
    "highlight": "passing",
    "iconify": "passing",
    "inputlookup": "inputlookup",
    "join": "join",
    "kv": "extract",
    "localop": "passing",
    "lookup": "lookup",
    "makecontinuous": "makecontinuous",
    "maketable": "xyseries",
    "makemv": "makemv",
    "makeresults": "makeresults",
    "map": "map_",
    "mcatalog": "mcatalog",
    "mpreview": "mpreview",
    "mstats": "mstats",
    "multisearch": "multisearch",
    "mvcombine": "mvcombine",
    "mvexpand": "mvexpand",
    "nomv": "nomv",
    "outlier": "outlier",
    "outputlookup": "outputlookup",
    "rangemap": "rangemap",
    "rare": "rare",
    "regex": "regex",
    "reltime": "reltime",
    "rename": "rename",
    "replace": "replace",
    "return": "return_",
    "reverse": "reverse",
    "rex": "rex",
    "search": "search",
    "selfjoin": "selfjoin",
    "set": "set",
    "sort": "sort",
    "spath": "spath",
    "stats": "stats",
    "strcat": "strcat",
    "stray": "stray",
    "streamstats": "streamstats",
    "table": "table",
    "tail": "tail",
    "timechart": "timechart",
    "timewrap": "timewrap",
    "tojson": "tojson",
    "top": "top",
    "transaction": "transaction",
    "transpose": "transpose",
    "trendline": "trendline",
    "union": "union",
    "uniq": "uniq",
    "unseen": "unseen",
    "untable": "untable",
    "where": "where",
    "xmlkv": "xmlkv",
    "xpath": "xpath",
    "xyseries": "xyseries",
}

# Commands of SPL that we lack, so that the message can say so.
KNOWN_ELSEWHERE = frozenset(
    """
    abstract accum addcoltotals addinfo addtotals analyzefields anomalies anomalousvalue
    anomalydetection append appendcols appendpipe arules associate autoregress bin bucket bucketdir
    chart cluster cofilter collect concurrency contingency convert correlate ctable datamodel
    dbinspect dedup delete delta diff erex eventcount eventstats extract fieldformat fieldsummary
    filldown findtypes folderize from gauge gentimes geom geomfeatures geostats highlight history
    iconify inputcsv inputlookup iplocation kmeans kv kvform loadjob localize localop lookup
    makecontinuous makemv makeresults map mcatalog mcollect metadata metasearch meventcollect
    multikv multisearch mvcombine mvexpand nomv outlier outputcsv outputlookup outputtext overlap
    pivot predict rangemap rare redistribute regex relevancy reltime replace require rest return
    reverse rex rtorder savedsearch script scrub searchtxn selfjoin sendalert sendemail set
    setfields sichart sirare sistats sitimechart sitop spath strcat streamstats tags tail timechart
    timewrap tojson top transaction transpose trendline tscollect tstats typeahead typelearner typer
    union uniq untable walklex where x11 xmlkv xmlunescape xpath xyseries
    """.split()
)


class CommandModule(Protocol):
    """What a command's module provides."""

    def parse(self, cursor: Cursor, at: int) -> Command:
        """Read what follows the command's name, which stood at ``at``."""
        ...

    def plan(self, command: Any, relation: Any, context: Context) -> Relation:
        """Return the rows after the command.

        ``relation`` is None only where the command's ``place`` lets it stand first.
        """
        ...


def module_of(command: Command) -> CommandModule:
    """Return the module that a command was read by."""
    return cast(CommandModule, importlib.import_module(type(command).__module__))


def find(name: str) -> CommandModule | None:
    """Return the module of a command, or None if there is no such command."""
    if name not in MODULES:
        return None
    return cast(CommandModule, importlib.import_module(f"{__name__}.{MODULES[name]}"))
