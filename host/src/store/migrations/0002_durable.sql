-- Hosts that share the store: which configuration each has, which ones it can't serve, and when it was last heard of.
create table host (
    id          text primary key,
    version     text not null,
    revision    bigint not null,
    cannot_serve text not null,
    started_at  bigint not null,
    seen_at     bigint not null
);

-- Which configurations runs still need.
create index run_revision on run (revision);

-- replay

-- Answers to reads of an attempt, where its step keeps them for dry runs; until `kept_until`.
create table recorded_read (
    run         text not null references run (id) on delete cascade,
    step        text not null,
    attempt     integer not null,
    identity    text not null,
    method      text not null,
    url         text not null,
    status      integer not null,
    response_headers text not null,
    response_body blob not null,
    kept_until  bigint not null,
    primary key (run, step, attempt, identity)
);
create index recorded_read_until on recorded_read (kept_until);

-- Why a run is dead: the kind of failure, and the plugin of the step. Dead letters are found by them.
alter table run add column failure text;
alter table run add column failed_plugin text;
