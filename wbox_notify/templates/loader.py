"""Template files of one folder, and the layout of a text before and after Jinja."""

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

import jinja2
from jinja2.loaders import split_template_path

from wbox_notify.model.texts import Wording
from wbox_notify.templates.errors import TemplateError, near

_PARTS = re.compile(
    r"""
    \{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}  # kept as it is
    | \{\{.*?\}\}
    | (?P<open>\{[%#])(?P<before>[-+]?)(?P<inside>.*?)(?P<after>[-+]?)(?P<close>[%#]\})(?P<blank>[ \t]*)
    """,
    re.DOTALL | re.VERBOSE,
)
_FAR_ON = re.compile("[\u0300-\U0010ffff]{31,}")  # no combining mark stands before U+0300
_MOST_MARKS = 30
_JOINER = "\u034f"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

ABSENT = "there is no template"
"""The first words of the problem of a missing file."""


def layout(source: str) -> str:
    """Return a template in which only a tag that stands alone on its line takes the line away with it.

    A person who writes a message gives ``{% for … %}`` and ``{% endfor %}`` lines of their own and does not
    expect them to be blank lines of the message; so Jinja's trimming is on. But the same person ends a line
    with ``{% endif %}`` and does expect the next line to stay the next line; so trimming is switched off,
    by Jinja's own plus sign, for each tag that shares its line with something.
    """
    return _PARTS.sub(_untrimmed, source)


def clean(text: str) -> str:
    """Return a text without control characters (but with its newlines and tabs), normalised to NFC."""
    return composed(_CONTROLS.sub("", text))


def composed(text: str) -> str:
    """Return a text in NFC, with an invisible joiner after each 30 combining marks in a row.

    This is Unicode's own Stream-Safe Text Format (UAX #15): marks are put in order as far as a letter goes,
    and the time for that grows with the square of their number. No language writes so many on one letter.
    """
    return unicodedata.normalize("NFC", _FAR_ON.sub(_join_marks, text))


def _join_marks(match: re.Match[str]) -> str:
    parts, marks = [], 0
    for char in match[0]:
        marks += 1
        if not unicodedata.combining(char):
            marks = 0
        elif marks > _MOST_MARKS:
            parts.append(_JOINER)
            marks = 1
        parts.append(char)
    return "".join(parts)


def _untrimmed(tag: re.Match[str]) -> str:
    if tag["open"] is None:
        return tag[0]
    source = tag.string
    start = source.rfind("\n", 0, tag.start()) + 1
    end = source.find("\n", tag.end())
    if end < 0:
        end = len(source)
    if not (source[start : tag.start()] + source[tag.end() : end]).strip():
        return tag[0].removesuffix(tag["blank"])
    before, after = tag["before"] or "+", tag["after"] or "+"
    return f"{tag['open']}{before}{tag['inside']}{after}{tag['close']}{tag['blank']}"


class Folder(jinja2.BaseLoader):
    """The folder that files, includes, extends and imports come from, and nothing outside of it.

    ``is_private`` says whether a file in it holds a key, and so is not a template.
    """

    def __init__(self, path: Path | None, is_private: Callable[[Path], bool] = lambda _path: False) -> None:
        self._path = path
        self._is_private = is_private

    def read(self, name: str) -> str:
        """Return what is in a file; TemplateError if it is not in the folder or no UTF-8 text."""
        if self._path is None:
            raise TemplateError(
                Wording("there is no template '{name}': this project has no template folder", name=name)
            )
        try:
            return self._text(self._path, name)
        except UnicodeDecodeError:
            raise TemplateError("this file is not UTF-8 text", name=name) from None
        except (
            jinja2.TemplateNotFound,
            FileNotFoundError,
            IsADirectoryError,
            NotADirectoryError,
            ValueError,
        ):
            hint = near(name, self.list_templates()) or None
            raise TemplateError(
                Wording("there is no template '{name}' in {path}", name=name, path=self._path), hint=hint
            ) from None
        except OSError as error:
            raise TemplateError(
                Wording("this file cannot be read: {reason}", reason=error.strerror), name=name
            ) from None

    def _text(self, folder: Path, name: str) -> str:
        # The folder may be a link, and links in it may lead to other files in it, as in mounts of Kubernetes.
        real = Path(os.path.realpath(folder.joinpath(*split_template_path(name))))
        if not real.is_relative_to(os.path.realpath(folder)):
            raise TemplateError(
                Wording("'{name}' is a link that leads out of {folder}", name=name, folder=folder),
                hint="put a copy there",
            )
        if self._is_private(real):
            raise TemplateError(Wording("'{name}' holds a key or a secret, so it is no template", name=name))
        if not stat.S_ISREG(real.stat().st_mode):  # opening a pipe would wait for its other end
            raise IsADirectoryError
        return real.read_text("utf-8-sig")

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, None]:  # noqa: ARG002 - Jinja's
        """Return a file for Jinja, which expects its own error for one that is missing."""
        try:
            return layout(self.read(template)), None, None
        except TemplateError as error:
            raise jinja2.TemplateNotFound(template, str(error)) from error

    def list_templates(self) -> list[str]:
        """Return the names of all files in the folder."""
        if self._path is None or not self._path.is_dir():
            return []
        return sorted(
            file.relative_to(self._path).as_posix() for file in self._path.rglob("*") if file.is_file()
        )
