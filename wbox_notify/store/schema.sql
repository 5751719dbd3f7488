-- The tables as they are now, after all migrations. $key stands for each engine's own growing integer key.
-- Times are seconds since the epoch. A test builds a store by the migrations and compares it with this file.

-- What happened: an event comes in once and is planned once.
create table event (
    seq $key,
    id text not null unique,
    type text not null,
    at double precision not null,
    data text not null,                      -- JSON
    received double precision not null,
    planned double precision,
    host text not null default ''            -- the machine that took it in; empty where any may plan it
);
create index event_unplanned on event (seq) where planned is null;
create index event_planned on event (received) where planned is not null;

-- Why something was or was not sent: one step of one rule for one event.
create table decision (
    seq $key,
    event_id text not null,
    rule text not null,
    stage text not null,
    outcome text not null,                   -- passed, stopped, waits, failed
    detail text not null,                    -- in English
    at double precision not null,
    wording text                             -- JSON: its text and facts, for other languages
);
create index decision_event on decision (event_id);
create index decision_at on decision (at);
create index decision_rule on decision (rule);
create index decision_failed on decision (event_id) where outcome = 'failed';

-- What rules keep in mind between events, and when they want to be woken with it.
create table memory (
    seq $key,                                -- the order in which they began
    rule text not null,
    kind text not null,
    key text not null,
    value text not null,                     -- JSON
    due double precision,
    event_id text not null default '',       -- the first event that it is about
    unique (rule, kind, key)
);
create index memory_due on memory (due) where due is not null;
create index memory_kind on memory (kind, due);

-- All events that a memory is about: their files stay where they are.
create table memory_event (
    event_id text not null,
    rule text not null,
    kind text not null,
    key text not null,
    primary key (event_id, rule, kind, key)
);
create index memory_event_memory on memory_event (rule, kind, key);

-- One message on its way to one recipient.
create table delivery (
    id $key,
    key text not null unique,
    event_id text not null,
    rule text not null,
    device text not null,
    recipient text not null,
    message text,                            -- JSON; null where the rule could not make one
    state text not null,
    due double precision not null,
    created double precision not null,
    expires double precision not null,
    changed double precision not null,
    claims integer not null default 0,
    tries integer not null default 0,
    unknowns integer not null default 0,
    reason text not null default '',         -- what was wrong, in the words of wbox or of the rule's error
    priority integer not null default 0,
    lifetime double precision not null default 86400,
    on_unknown text,
    failures integer not null default 0,
    same text not null default '',           -- equal where texts are equal
    hold text,                               -- why it waits for a person
    left_out text,                           -- why it is not sent any more
    facts text not null default '{}'         -- JSON: what a text about hold or left_out names
);
create index delivery_event on delivery (event_id);
create index delivery_recipient on delivery (recipient);
create index delivery_same on delivery (recipient, same, changed) where state = 'sent' and same <> '';
create index delivery_sending on delivery (device, recipient) where state = 'sending';
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
create index delivery_of_rule on delivery (rule, created, recipient) where rule <> '';

-- Which other events a delivery tells of, as one of a group or a digest does.
create table told (
    event_id text not null,
    delivery text not null,                  -- its key
    primary key (event_id, delivery)
);
create index told_delivery on told (delivery);

-- One hand-over to wbox.
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
create index attempt_started on attempt (started);

-- A device that cannot send, or * for all of them.
create table circuit (
    device text primary key,
    reason text not null,
    since double precision not null,
    until double precision not null,
    probes integer not null,
    trying integer not null default 0,       -- one message at a time may go
    told integer not null default 0          -- the fallback knows of it
);

-- When a device, or one of its recipients, has its next turn; '' is the device itself.
create table turn (
    device text not null,
    recipient text not null,
    next double precision not null,
    primary key (device, recipient)
);

-- Which file versions were seen, and what became of them.
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
    looked double precision not null,        -- when it was last looked for
    gone double precision,                   -- since when it is not there
    ctime_ns text,
    digest text not null default '',
    moved_to bytea,                          -- where it was put
    host text not null default ''            -- the machine that saw it; empty where any may look after it
);
create index file_open on file (seq) where fate = 'open';
create index file_looked on file (looked) where path is not null and fate <> 'open';
create index file_root on file (root, seq);
create index file_gone on file (gone) where gone is not null;
create index file_path on file (path, seq);
create index file_moved on file (inode, mtime_ns);

-- The daemons that share the store, and until when each lives, by the clock of the database. One daemon alone,
-- as with SQLite, writes nothing here.
create table daemon (
    id text primary key,                     -- of one run, and a number that grows when its time was over
    host text not null,
    version text not null,
    since double precision not null,
    until double precision not null,
    waits double precision,                  -- since when for its turn to plan
    link text not null default ''            -- by what the keys that sign links are told apart
);

-- What one daemon at a time does, such as sending through a device; held for as long as that daemon lives.
create table lease (
    name text primary key,
    daemon text not null,                    -- empty where it was given back
    taken bigint not null default 0          -- how often
);
