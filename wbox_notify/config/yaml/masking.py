"""Masking of possible secrets by stars in the lines of a file that problems show."""

import re
from collections.abc import Iterable, Iterator

_KEY = re.compile(r"(?<![A-Za-z0-9])(sk_)([!-~]{6,})|(\bapi_key[\"']?\s*:\s*)(\S.*)")
_TOKEN = re.compile(
    r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|whsec_|shp[a-z]{2}_|AKIA|AIza|eyJ)[\w.+/=-]{6,}"
    r"|(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,}={0,2}"
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OPENER = re.compile(
    r"(?<=://)[^\s/@\"']+(?=@)"
    r"|(?P<name>(?<=[?&])(?:[\w-]{0,40}[_-])?(?:key|apikey|auth|token|secret|password|sig|signature)=)[^\s&\"']+",
    re.IGNORECASE,
)
_OUTLET = re.compile(r"^\s*-\s+[\"']?https?://|\b(fallback|via)\b[\"']?\s*:")

# The keys at which secrets are named, and by mistake written. What stands there is starred out whatever it
# is: nothing tells the name of a secret from a secret.
_KEYS = r"[\"']?[\w-]*(?:secrets?|passw(?:or)?d|token|api[_-]?key|authorization)[\w-]*[\"']?[ ]*:(?=\s|$)"
_LINE = re.compile(rf"^(?P<key>[ #]*(?:-[ ]+)*{_KEYS}[ ]*)(?P<value>.*)", re.IGNORECASE)
_WITHIN = re.compile(
    rf"(?P<key>[{{,][ ]*{_KEYS}[ ]*)"
    r"""(?P<value>"(?:\\.|[^"\\])*(?:"|$)|'(?:''|[^'])*(?:'|$)|\[[^\]]*(?:\]|$)|\{.*|[^,}]*)""",
    re.IGNORECASE,
)

# Where a secret is may be shown.
_WHERE = re.compile(
    r"(?:^|(?<=[\s{,]))(?:[\"']?[\w-]+[\"']?\s*:\s*\{\s*)?"
    r"(?:env|file)[ ]*:[ ]+[^\s{},#\"'][^{},#]*(?=[},]|\s*$)"
)
_BARE = re.compile(r"\s*[\"']?[\w-]+[\"']?[ ]*:\s*")
_HINT = re.compile(r"secret|passw|token|api.?key|authorization|[A-Za-z0-9]{20}", re.IGNORECASE)
_LONGEST = 1000
_CLOSING = {"{": "}", "[": "]", '"': '"', "'": "'"}


def masked(lines: Iterable[str], names: Iterable[str] = ()) -> tuple[str, ...]:
    """Return lines of YAML with stars in place of possible secrets, each as long as before.

    ``names`` are those of known secrets, which are none themselves.
    """
    lines = tuple(lines)
    hidden = (_without_urls(_TOKEN.sub(_stars, starred(line))) for line in _without_values(lines))
    known = "|".join(map(re.escape, names))
    if not known:
        return tuple(hidden)
    name = re.compile(rf"(?<![^\s\[\"',:])(?:{known})(?![^\s\]\"',}}])")
    return tuple(_with_names(shown, line, name) for shown, line in zip(hidden, lines, strict=True))


def _with_names(shown: str, line: str, name: re.Pattern[str]) -> str:
    """Return what is shown of a line with the names of secrets in it."""
    for match in name.finditer(line):
        shown = shown[: match.start()] + match[0] + shown[match.end() :]
    return shown


def starred(text: str) -> str:
    """Return text with stars in place of API keys and of what opens an address; a caret stays right."""
    if "://" in text:
        text = _OPENER.sub(lambda found: (found["name"] or "").ljust(len(found[0]), "*"), text)
    if "sk_" not in text and "api_key" not in text:
        return text
    return _KEY.sub(lambda key: (key[1] or key[3]) + "*" * len(key[2] or key[4]), text)


def is_like_a_token(text: str) -> bool:
    """Return whether a text looks more like a secret than like the name of one."""
    return bool(_KEY.search(text) or _TOKEN.search(text))


def _without_values(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with stars in place of the values of secret keys, also on the lines below."""
    indent, closing = -1, ""  # of the key that holds the lines below, and what ends its value
    for line in lines:
        if len(line) > _LONGEST:
            yield _long(line, is_below=indent >= 0)
        elif indent >= 0 and (closing or _is_below(line, indent)):
            yield line if _BARE.fullmatch(line) else _hidden(line)
            if closing in line:
                closing = ""
        else:
            indent, closing = -1, ""
            if key := _LINE.fullmatch(line) or _WITHIN.search(line):
                indent, closing = _indent(re.sub(r"[#-]", " ", line)), _left_open(key["value"])
            yield _WITHIN.sub(_valued, _LINE.sub(_valued, line))


def _long(line: str, *, is_below: bool) -> str:
    """Return a line that is too long to look at closely."""
    if is_below or _HINT.search(line):
        return re.sub(r"\S", "*", line)
    return line


def _is_below(line: str, indent: int) -> bool:
    """Return whether a line is part of the value of a key that is indented so far."""
    if not line.strip() or _indent(line) > indent:
        return True
    return _indent(line) == indent and line.lstrip().startswith("- ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _left_open(value: str) -> str:
    """Return the sign that ends a value of several lines, or nothing for one of a single line."""
    sign = value[:1]
    closing = _CLOSING.get(sign, "")
    begun = 2 if closing == sign else value.count(sign)
    return closing if closing and value.count(closing) < begun else ""


def _valued(line: re.Match[str]) -> str:
    return line["key"] + _hidden(line["value"])


def _hidden(value: str) -> str:
    """Return stars in place of a value, unless all of it says where secrets are."""
    rest = _WHERE.sub("", value)
    return re.sub(r"\S", "*", value) if rest.strip(" {},") else value


def _stars(token: re.Match[str]) -> str:
    return "*" * len(token[0])


def _without_urls(line: str) -> str:
    """Return a line with all starred out that follows a URL of Apprise, which may hold a password."""
    if "://" not in line:
        return line
    ends = (found.end() for found in _URL.finditer(line) if _is_private(found[0], line))
    end = next(ends, len(line))
    return line[:end] + "*" * len(line[end:])


def _is_private(scheme: str, line: str) -> bool:
    """Return whether a URL in a line can be one of Apprise's; it also takes those of web pages."""
    return scheme.lower() not in {"http://", "https://", "sqlite://"} or bool(_OUTLET.search(line))
