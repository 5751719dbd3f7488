"""The gallery: rules, templates and examples that ship beside the program."""

import importlib.resources
from pathlib import Path

from wbox_notify.errors import WboxError
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording


def gallery() -> Path:
    """Return the folder with ``rules``, ``templates`` and ``examples``, in the wheel or in the checkout."""
    package = Path(str(importlib.resources.files("wbox_notify")))
    packaged = package / "gallery"
    return packaged if packaged.is_dir() else package.parent


def names() -> dict[str, Path]:
    """Return the files of rules that a new project can begin with, by their names."""
    return {path.stem: path for path in sorted((gallery() / "examples" / "gallery").glob("*/*.yaml"))}


def rule_file(name: str, lang: str) -> str:
    """Return the text of such a file in a language, in English where there is none in it.

    Raises:
        WboxError: there is none of that name.
    """
    known = names()
    if name not in known:
        hint = did_you_mean(name, known) or Wording("there are {rules}", rules=", ".join(known))
        raise WboxError(Wording("the gallery has no {name!r}", name=name), hint=hint)
    path = known[name]
    own = path.parent / lang / path.name
    return (own if own.is_file() else path).read_text(encoding="utf-8")
