-- What hosts bring in by themselves: a row for each stream that is polled and each schedule (`live`), and one for a backfill beside it. A host has
-- it under a lease; a fence that every lease raises keeps a host that lost its lease from writing. `due_at` is null where nothing is to happen by
-- itself: paused, waiting for a credential, stopped, done.
create table source (
    name        text not null,
    lane        text not null,
    -- What the cursor is a cursor of, and the configuration that said so: with another one the source begins anew.
    spec        text not null,
    revision    integer not null,
    state       text not null,
    reason      text,
    cursor      text,
    since       integer,
    until       integer,
    due_at      integer,
    lease_owner text,
    lease_until integer,
    fence       integer not null default 0,
    failures    integer not null default 0,
    turns       integer not null default 0,
    events      integer not null default 0,
    duplicates  integer not null default 0,
    set_aside   integer not null default 0,
    reached_at  integer,
    succeeded_at integer,
    failed_at   integer,
    failure     text,
    last        text,
    created_at  integer not null,
    finished_at integer,
    primary key (name, lane)
);
-- What came in and could not be made into an event: each different thing once.
create table set_aside (
    id          text primary key,
    source      text not null,
    kind        text not null,
    data        blob not null,
    context     text,
    reason      text not null,
    digest      blob not null,
    times       integer not null,
    first_at    integer not null,
    last_at     integer not null,
    -- It is to be tried again with the next turn of its source.
    retry       integer not null default 0
);
create unique index set_aside_once on set_aside (source, digest);
create index set_aside_listed on set_aside (source, id);
