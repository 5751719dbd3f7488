"""The rule language: from a project folder to rules, people and problems."""

from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.rules.recipients import Contact, People
from wbox_notify.rules.rule import Draft, Rule
from wbox_notify.rules.triggers import FileTrigger

__all__ = ["Contact", "Draft", "FileTrigger", "Live", "People", "Project", "Rule", "load"]
