"""The template files of one folder."""

from pathlib import Path

import jinja2
from jinja2.loaders import split_template_path

from wbox_notify.templates.faults import TemplateError, near
from wbox_notify.templates.layout import layout


class Folder(jinja2.BaseLoader):
    """The folder that files, includes, extends and imports come from, and nothing outside of it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self, name: str) -> str:
        """Return what is in a file; TemplateError if it is not in the folder or no UTF-8 text."""
        if self._path is None:
            raise TemplateError(f"there is no template '{name}': this project has no template folder")
        try:
            return self._path.joinpath(*split_template_path(name)).read_text("utf-8-sig")
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
            raise TemplateError(f"there is no template '{name}' in {self._path}", hint=hint) from None
        except OSError as error:
            raise TemplateError(f"this file can not be read: {error.strerror}", name=name) from None

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
