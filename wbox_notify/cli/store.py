"""``wbox-notify store check|backup|copy``."""

import os
import sys
from contextlib import closing
from pathlib import Path

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import no_store, open_without_rules, usable
from wbox_notify.errors import Exit
from wbox_notify.model.texts import Wording, _, plural, spoken, told
from wbox_notify.store import Reader, faults, open_database, open_reader, sizes
from wbox_notify.store import copy as copy_rows

_FAULTS = {
    "attempt_without_delivery": Wording("attempts without their message"),
    "delivery_without_event": Wording("messages without their event"),
    "sending_without_attempt": Wording("messages that are being sent without an attempt"),
    "event_of_no_memory": Wording("events that wait for what no rule remembers"),
    "file_without_event": Wording("files that are to be put away without their event"),
}


@click.group("store")
def store() -> None:
    """Check, back up or move the store, where all events and messages are."""


@store.command("check")
@json_option
@click.pass_obj
def check(config: Path | None, as_json: bool) -> int:
    """Read the whole store and tell what is wrong in it; a daemon may run meanwhile.

    Exits with 0 when it is sound, else with 1.
    """
    with closing(_open(usable(open_without_rules(config)).settings.store)) as reader:
        damage, found, rows = reader.damage(), dict(faults(reader)), sizes(reader)
    if as_json:
        say_json({"rows": rows, "damage": damage, "faults": found})
    else:
        for table, many in rows.items():
            say(f"{table:<14}{many:>12,}")
        for name, many in found.items():
            say(f"{told(_FAULTS[name], spoken.get())}: {many}")
        if damage:
            say(_("the database is damaged: {damage}", damage=damage))
    return Exit.FAILED if damage or found else Exit.DONE


@store.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(config: Path | None, file: Path, as_json: bool) -> int:
    """Write a copy of the store to FILE, which must be new; a daemon may run meanwhile.

    To restore it, stop the daemon, remove the store with its -wal and -shm files, put FILE in its place, and
    start the daemon. What waited when the backup was made, and was sent since, is sent again.
    """
    with closing(_open(usable(open_without_rules(config)).settings.store)) as reader:
        reader.back_up(file)
    size = file.stat().st_size
    if as_json:
        say_json({"file": str(file), "size": size})
    else:
        say(_("{file} holds the whole store ({size} bytes)", file=file, size=f"{size:,}"))
    return Exit.DONE


@store.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy(source: str, target: str, as_json: bool) -> int:
    """Write all of the store FROM into the new store TO, and compare both.

    Each is an address such as sqlite:///path/to/file.db. No daemon may run with either. A copy that was cut
    off goes on when the same command is given again; until it has come to its end, nothing runs with TO.
    """
    os.umask(0o077)
    _open(source).close()
    with closing(open_database(source)) as old, closing(open_database(target)) as new:
        rows = sizes(old)
        with click.progressbar(
            length=2 * sum(rows.values()), label=_("Rows"), file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            copy_rows(old, new, bar.update)
    if as_json:
        say_json({"rows": rows})
    else:
        say(plural("{number} row is in both stores", "{number} rows are in both stores", sum(rows.values())))
    return Exit.DONE


def _open(url: str) -> Reader:
    reader = open_reader(url)
    if reader is None:
        raise no_store(url)
    return reader
