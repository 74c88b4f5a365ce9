"""The functions of eval expressions, in one table: add a line to `FUNCTIONS` to add one.

What they are made of stands in the modules beside this one. Unless its line says otherwise, a function
of null is null.
"""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions import conditional, digest, multivalue, numeric, text, time
from kubestray.search.functions.base import MANY, BadArgument, Environment, Function
from kubestray.search.values import NULL, looks_numeric, missing, present

__all__ = ["FUNCTIONS", "BadArgument", "Environment", "Function"]

FUNCTIONS: dict[str, Function] = {
    "abs": Function(1, 1, numeric.numeric("abs"), "abs(x): the value without its sign"),
    "acos": Function(1, 1, numeric.numeric("acos"), "acos(x): inverse cosine; null outside -1 to 1"),
    "asin": Function(1, 1, numeric.numeric("asin"), "asin(x): inverse sine; null outside -1 to 1"),
    "atan": Function(1, 1, numeric.numeric("atan"), "atan(x): inverse tangent"),
    "case": Function(2, MANY, conditional.case, "case(c1, x1, …): the value after the first true condition, else null"),
    "ceil": Function(1, 1, numeric.numeric("ceil"), "ceil(x): the next whole number up"),
    "ceiling": Function(1, 1, numeric.numeric("ceil"), "ceiling(x): the next whole number up"),
    "cidrmatch": Function(2, 2, digest.cidrmatch, "cidrmatch(network, x): whether an address lies in a network"),
    "coalesce": Function(1, MANY, conditional.coalesce, "coalesce(x, …): the first that is not null"),
    "cos": Function(1, 1, numeric.numeric("cos"), "cos(x): cosine"),
    "exact": Function(1, 1, numeric.tonumber, "exact(x): x; all arithmetic is exact to a double here"),
    "exp": Function(1, 1, numeric.numeric("exp"), "exp(x): e to the power x"),
    "false": Function(0, 0, conditional.constant(exp.false()), "false(): the condition that never holds"),
    "floor": Function(1, 1, numeric.numeric("floor"), "floor(x): the next whole number down"),
    "if": Function(3, 3, conditional.if_, "if(c, x, y): x where the condition is true, else y (also where it is null)"),
    "in": Function(2, MANY, conditional.in_, "in(x, a, b, …): whether x equals one of the others"),
    "isint": Function(1, 1, numeric.isint, "isint(x): whether x is or reads as a whole number"),
    "isnotnull": Function(1, 1, conditional.test(present), "isnotnull(x): whether x has a value"),
    "isnull": Function(1, 1, conditional.test(missing), "isnull(x): whether x has no value"),
    "isnum": Function(1, 1, conditional.test(looks_numeric), "isnum(x): whether x is or reads as a number"),
    "isstr": Function(1, 1, text.isstr, "isstr(x): whether x has a value that does not read as a number"),
    "len": Function(1, 1, text.length, "len(x): how many characters"),
    "like": Function(2, 2, text.like, "like(x, p): whether x matches p, in which % is any text and _ any character"),
    "ln": Function(1, 1, numeric.numeric("log"), "ln(x): natural logarithm; null unless x > 0"),
    "log": Function(1, 2, numeric.log, "log(x, base): logarithm, base 10 unless given"),
    "lower": Function(1, 1, text.textual("lowerUTF8"), "lower(x): in lower case"),
    "ltrim": Function(1, 2, text.trimmed("L"), "ltrim(x, chars): without leading spaces and tabs, or these characters"),
    "match": Function(2, 2, text.match_, "match(x, regex): whether the regular expression matches anywhere in x"),
    "max": Function(1, MANY, numeric.extreme("arrayMax"), "max(x, …): the largest number"),
    "md5": Function(1, 1, digest.hashed("MD5"), "md5(x): the MD5 hash, hexadecimal"),
    "min": Function(1, MANY, numeric.extreme("arrayMin"), "min(x, …): the smallest number"),
    "mvappend": Function(1, MANY, multivalue.mvappend, "mvappend(x, …): all values one after the other"),
    "mvcount": Function(1, 1, multivalue.mvcount, "mvcount(x): how many values; null if none"),
    "mvdedup": Function(1, 1, multivalue.mvdedup, "mvdedup(x): without repeated values, first places kept"),
    "mvfind": Function(2, 2, multivalue.mvfind, "mvfind(x, regex): the index from 0 of the first value that matches"),
    "mvindex": Function(2, 3, multivalue.mvindex, "mvindex(x, i, j): the values from i to j, counted from 0 or, below, from the end"),
    "mvjoin": Function(2, 2, multivalue.mvjoin, "mvjoin(x, d): all values as one text, d between them"),
    "mvrange": Function(2, 3, multivalue.mvrange, "mvrange(from, to, step): numbers from one up to, not including, the other"),
    "mvsort": Function(1, 1, multivalue.mvsort, "mvsort(x): values in lexicographic order"),
    "mvzip": Function(2, 3, multivalue.mvzip, "mvzip(x, y, d): the values of x and y in pairs, d (a comma) between them"),
    "now": Function(0, 0, time.clock, "now(): the time of the search, in seconds"),
    "null": Function(0, 0, lambda a, env: NULL, "null(): no value"),
    "nullif": Function(2, 2, conditional.nullif, "nullif(x, y): null where the two are equal, else x"),
    "pi": Function(0, 0, numeric.pi, "pi(): 3.141592653589793"),
    "pow": Function(2, 2, numeric.numeric("pow"), "pow(x, y): x to the power y"),
    "relative_time": Function(2, 2, time.relative_time, 'relative_time(x, "-1d@d"): a time shifted and snapped, in UTC'),
    "replace": Function(3, 3, text.replace, r"replace(x, regex, y): every match replaced; \1 in y is the first group"),
    "round": Function(1, 2, numeric.round_, "round(x, n): to n decimals (0 unless given), halves up"),
    "rtrim": Function(1, 2, text.trimmed("R"), "rtrim(x, chars): without trailing spaces and tabs, or these characters"),
    "sha1": Function(1, 1, digest.hashed("SHA1"), "sha1(x): the SHA-1 hash, hexadecimal"),
    "sha256": Function(1, 1, digest.hashed("SHA256"), "sha256(x): the SHA-256 hash, hexadecimal"),
    "sha512": Function(1, 1, digest.hashed("SHA512"), "sha512(x): the SHA-512 hash, hexadecimal"),
    "sin": Function(1, 1, numeric.numeric("sin"), "sin(x): sine"),
    "split": Function(2, 2, multivalue.split, "split(x, d): the parts between the delimiters, as a multivalue field"),
    "sqrt": Function(1, 1, numeric.numeric("sqrt"), "sqrt(x): square root; null below 0"),
    "strftime": Function(2, 2, time.strftime, 'strftime(x, "%Y-%m-%d"): a time in seconds as text, in UTC'),
    "strptime": Function(2, 2, time.strptime, 'strptime(x, "%Y-%m-%d"): a text as a time in seconds, in UTC'),
    "substr": Function(2, 3, text.substr, "substr(x, from, length): from a place counted from 1, or from the end if negative"),
    "tan": Function(1, 1, numeric.numeric("tan"), "tan(x): tangent"),
    "time": Function(0, 0, time.clock, "time(): the time of the search, in seconds"),
    "tonumber": Function(1, 2, numeric.tonumber, "tonumber(x, base): the number that a text reads as (base 10), else null"),
    "tostring": Function(1, 2, text.tostring, 'tostring(x, format): as text; null is "Null" (switch tostring_null); formats hex, commas, duration'),
    "trim": Function(1, 2, text.trimmed("LR"), "trim(x, chars): without spaces and tabs around, or these characters"),
    "true": Function(0, 0, conditional.constant(exp.true()), "true(): the condition that always holds"),
    "typeof": Function(1, 1, text.typeof, "typeof(x): Number, String, Boolean or Invalid (null)"),
    "upper": Function(1, 1, text.textual("upperUTF8"), "upper(x): in upper case"),
    "urldecode": Function(1, 1, digest.urldecode, "urldecode(x): %XX and + decoded"),
    "validate": Function(2, MANY, conditional.validate, "validate(c1, x1, …): the value after the first condition that is not true"),
}  # fmt: skip
