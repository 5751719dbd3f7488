"""Project: settings, rules and people of one folder, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wbox_notify.documents.problems import Problem
from wbox_notify.rules.people import Contact, People
from wbox_notify.rules.rule import Rule
from wbox_notify.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All that a project folder says.

    Attributes:
        rules: The rules of all files without errors, in the order of the files.
        people: Contacts and groups of all files.
        problems: What is wrong, in order; a file with an error gives no rules.
    """

    settings: Settings
    rules: tuple[Rule, ...] = ()
    people: People = field(default_factory=People, repr=False)
    problems: tuple[Problem, ...] = ()

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """The contacts by their names in the files."""
        return self.people.contacts

    def recipients(self, text: str) -> tuple[Contact, ...]:
        """Return who is meant by names of contacts or groups and numbers, with commas between them.

        Raises:
            MessageError: somebody in it is not known, or nobody is named.
        """
        return self.people.find(text)
