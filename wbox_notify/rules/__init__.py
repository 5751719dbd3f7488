"""The rule language: from a project folder to rules, people and problems."""
