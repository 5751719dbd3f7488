"""``wbox-notify schema``."""

import json

import click

from wbox_notify.cli.output import json_option, say
from wbox_notify.rules.reference import rule_schema, settings_schema


@click.command("schema")
@click.argument("which", type=click.Choice(["rules", "settings"]), default="rules")
@json_option
def command(which: str, as_json: bool) -> int:
    """Print the JSON Schema of rule files, or of wbox-notify.yaml, for an editor.

    Save it, and put this at the top of a rule file: # yaml-language-server: $schema=./schema.json
    """
    schema = rule_schema() if which == "rules" else settings_schema()
    say(json.dumps(schema, ensure_ascii=False, indent=None if as_json else 2))
    return 0
