"""The tables, as numbered migrations: one text for SQLite and PostgreSQL.

``$key`` stands for each engine's own growing integer key. Times are seconds since the epoch.
"""

from wbox_notify.errors import Exit, StoreError

MADE = "create table if not exists schema_version (version integer not null)"
"""The table of which migrations were made."""

VERSION = "select coalesce(max(version), 0) as version from schema_version"
"""Find how many those are; the statement below keeps that one more was."""

NOTE_VERSION = "insert into schema_version values (:version)"

MIGRATIONS = (
    """
    create table event (
        seq $key,
        id text not null unique,
        type text not null,
        at double precision not null,
        data text not null,
        received double precision not null,
        planned double precision
    );
    create index event_unplanned on event (seq) where planned is null;

    create table decision (
        seq $key,
        event_id text not null,
        rule text not null,
        stage text not null,
        outcome text not null,
        detail text not null,
        at double precision not null
    );
    create index decision_event on decision (event_id);

    create table memory (
        rule text not null,
        kind text not null,
        key text not null,
        value text not null,
        primary key (rule, kind, key)
    );

    create table delivery (
        id $key,
        key text not null unique,
        event_id text not null,
        rule text not null,
        device text not null,
        phone text not null,
        message text,
        state text not null,
        due double precision not null,
        created double precision not null,
        expires double precision not null,
        changed double precision not null,
        claims integer not null default 0,
        tries integer not null default 0,
        unknowns integer not null default 0,
        reason text not null default ''
    );
    create index delivery_open on delivery (state, due) where state in ('queued', 'unknown', 'sending');
    create index delivery_lane on delivery (device, phone, id)
        where state in ('queued', 'unknown', 'sending');
    create index delivery_stuck on delivery (state, id) where state in ('held', 'dead', 'expired');
    create index delivery_event on delivery (event_id);

    create table attempt (
        delivery_id bigint not null,
        number integer not null,
        started double precision not null,
        latency double precision,
        outcome text,
        status integer,
        detail text,
        primary key (delivery_id, number)
    );

    create table circuit (
        device text primary key,
        reason text not null,
        since double precision not null,
        until double precision not null,
        probes integer not null
    );
    """,
    """
    alter table memory add column due double precision;
    create index memory_due on memory (due) where due is not null;
    """,
    """
    alter table delivery rename column phone to recipient;
    alter table delivery add column priority integer not null default 0;
    alter table delivery add column lifetime double precision not null default 86400;
    alter table delivery add column on_unknown text;
    alter table delivery add column failures integer not null default 0;
    alter table delivery add column same text not null default '';
    drop index delivery_open;
    drop index delivery_lane;
    create index delivery_open on delivery (device, priority desc, id, recipient)
        where state in ('queued', 'unknown', 'sending');
    create index delivery_sending on delivery (device, recipient) where state = 'sending';
    create index delivery_lane on delivery (device, recipient, priority, id)
        where state in ('queued', 'unknown', 'sending');
    create index delivery_expiry on delivery (expires) where state in ('queued', 'unknown', 'sending');
    create index delivery_same on delivery (recipient, same, changed) where same <> '';
    create index attempt_started on attempt (started);
    create index delivery_given_up on delivery (changed) where state in ('held', 'dead', 'expired');

    alter table circuit add column trying integer not null default 0;
    alter table circuit add column told integer not null default 0;

    create table turn (
        device text not null,
        recipient text not null,
        next double precision not null,
        primary key (device, recipient)
    );
    """,
    """
    create index delivery_state on delivery (state, changed);
    drop index delivery_stuck;
    create index decision_at on decision (at);
    create index event_planned on event (received) where planned is not null;
    """,
    """
    create table file (
        seq $key,
        event_id text not null unique,
        path bytea,
        root bytea,
        device bigint,
        inode bigint,
        size bigint,
        mtime_ns text,
        fate text not null,
        detail text not null default '',
        changed double precision not null,
        looked double precision not null,
        gone double precision
    );
    create index file_open on file (seq) where fate = 'open';
    create index file_looked on file (looked) where path is not null and fate <> 'open';
    create index file_root on file (root, seq);
    create index file_gone on file (gone) where gone is not null;
    insert into file (event_id, fate, changed, looked)
        select id, 'seen', received, received from event where type = 'file' order by seq;

    create table told (
        event_id text not null,
        delivery text not null,
        primary key (event_id, delivery)
    );
    """,
    """
    alter table file add column ctime_ns text;
    alter table file add column digest text not null default '';
    create index file_path on file (path, seq);
    create index file_moved on file (inode, mtime_ns);
    """,
    """
    alter table delivery add column hold text;
    alter table delivery add column left_out text;
    alter table delivery add column facts text not null default '{}';
    update delivery set reason = substr(reason, length('was not sent in time') + 1)
        where state = 'expired' and reason like 'was not sent in time%';
    update delivery set reason = substr(reason, length(': ') + 1)
        where state = 'expired' and reason like ': %';
    update delivery set hold = 'rows', reason = '',
        facts = json_object('file', substr(reason, length('storm guard: counted with all rows of ') + 1))
        where state = 'held' and reason like 'storm guard: counted with all rows of %';
    update delivery set hold = 'storm', reason = '',
        facts = json_object('messages', cast(substr(reason, length('storm guard: ') + 1) as integer))
        where state = 'held' and reason like 'storm guard: %';
    update delivery set hold = 'same_key', reason = '',
        facts = json_object('delivery', cast(substr(reason, length('delivery ') + 1) as integer))
        where state = 'held' and reason like 'delivery % has the same key and says something else';
    update delivery set hold = 'unknown'
        where state = 'held' and reason like 'may have been sent%';
    update delivery set left_out = 'unknown'
        where state = 'cancelled' and reason like 'may have been sent%';
    update delivery set reason = '', facts = json_object(
            'delivery', cast(substr(reason, length('may have been sent in delivery ') + 1) as integer)
        )
        where state in ('held', 'cancelled') and reason like 'may have been sent in delivery %';
    update delivery set reason = substr(reason, length('may have been sent: ') + 1)
        where reason like 'may have been sent: %';
    update delivery set left_out = 'same_text', reason = '',
        facts = json_object('seconds', cast(substr(reason, length('the same text went out ') + 1) as integer))
        where state = 'cancelled' and reason like 'the same text went out %';
    update delivery set left_out = 'backlog', reason = '',
        facts = json_object('delivery', cast(substr(reason, length('told in delivery ') + 1) as integer))
        where state = 'cancelled' and reason like 'told in delivery %';
    update delivery set left_out = 'by_hand', reason = ''
        where state = 'cancelled' and reason = 'dropped by hand';
    update delivery set left_out = 'done', reason = substr(reason, length('done after all: ') + 1)
        where state = 'cancelled' and reason like 'done after all: %';

    alter table file add column moved_to bytea;
    update file set moved_to = cast(substr(detail, length('moved to ') + 1) as blob), detail = ''
        where fate in ('done', 'failed', 'duplicate') and detail like 'moved to %';

    alter table memory add column event_id text not null default '';
    update memory set event_id = coalesce((
        select part.atom from json_tree(memory.value) as part
        where part.key = 'event_id' and part.type = 'text' order by part.id limit 1
    ), '');
    create table memory_event (
        event_id text not null,
        rule text not null,
        kind text not null,
        key text not null,
        primary key (event_id, rule, kind, key)
    );
    create index memory_event_memory on memory_event (rule, kind, key);
    insert into memory_event (event_id, rule, kind, key)
        select distinct part.atom, m.rule, m.kind, m.key from memory m, json_tree(m.value) as part
        where part.key = 'event_id' and part.type = 'text';
    """,
    """
    drop index delivery_state;
    drop index delivery_given_up;
    drop index delivery_expiry;
    drop index delivery_lane;
    create index delivery_lane on delivery (device, recipient, priority desc, id)
        where state in ('queued', 'unknown', 'sending');
    create index delivery_due on delivery (device, due) where state in ('queued', 'unknown', 'sending');
    create index delivery_expiry on delivery (expires, state, created, changed)
        where state in ('queued', 'unknown', 'sending');
    create index delivery_closed on delivery (state, changed)
        where state in ('sent', 'held', 'dead', 'expired', 'cancelled');
    """,
    """
    create table memory_in_order (
        seq $key,
        rule text not null,
        kind text not null,
        key text not null,
        value text not null,
        due double precision,
        event_id text not null default '',
        unique (rule, kind, key)
    );
    insert into memory_in_order (rule, kind, key, value, due, event_id)
        select rule, kind, key, value, due, event_id from memory order by due, rule, kind, key;
    drop table memory;
    alter table memory_in_order rename to memory;
    create index memory_due on memory (due) where due is not null;
    """,
    """
    create index delivery_of_rule on delivery (rule, created, recipient) where rule <> '';
    """,
    """
    create index memory_kind on memory (kind, due);
    """,
    """
    alter table decision add column wording text;
    """,
    """
    create index decision_rule on decision (rule);
    create index decision_failed on decision (event_id) where outcome = 'failed';
    create index told_delivery on told (delivery);
    drop index delivery_same;
    create index delivery_same on delivery (recipient, same, changed);
    """,
    """
    alter table event add column host text not null default '';
    alter table file add column host text not null default '';
    create table daemon (
        id text primary key,
        host text not null,
        version text not null,
        since double precision not null,
        until double precision not null,
        waits double precision,
        link text not null default ''
    );
    create table lease (
        name text primary key,
        daemon text not null,
        taken bigint not null default 0
    );
    """,
    """
    drop index delivery_due;
    drop index delivery_same;
    drop index delivery_open;
    drop index delivery_lane;
    drop index delivery_expiry;
    drop index delivery_closed;
    create index delivery_recipient on delivery (recipient);
    create index delivery_same on delivery (recipient, same, changed) where state = 'sent' and same <> '';
    create index delivery_open on delivery (device, priority desc, id, recipient)
        where (state = 'queued' or state = 'unknown' or state = 'sending') is true;
    create index delivery_lane on delivery (device, recipient, priority desc, id)
        where (state = 'queued' or state = 'unknown' or state = 'sending') is true;
    create index delivery_expiry on delivery (expires, state, created, changed)
        where (state = 'queued' or state = 'unknown' or state = 'sending') is true;
    create index delivery_closed on delivery (state, changed)
        where (
            state = 'sent' or state = 'held' or state = 'dead' or state = 'expired' or state = 'cancelled'
        ) is true;
    """,
)


class SchemaError(StoreError):
    """The store was written by another version of wbox_notify."""

    retry = False
    exit_code = Exit.INVALID


def known(version: int) -> int:
    """Return the version of a store whose tables are to be brought up to date; refuse a newer one."""
    if version > len(MIGRATIONS):
        raise SchemaError(
            f"the store has schema {version}, this version of wbox_notify knows up to {len(MIGRATIONS)}",
            hint="a newer wbox_notify wrote it: upgrade, or go back as docs/install.md says",
        )
    return version


def made(version: int) -> bool:
    """Return whether a store that is only read has its tables yet; refuse those of another version."""
    if 0 < known(version) < len(MIGRATIONS):
        raise SchemaError(
            f"the store has schema {version}, this version of wbox_notify needs {len(MIGRATIONS)}",
            hint="restart wbox-notify run: it brings the store up to date",
        )
    return version > 0
