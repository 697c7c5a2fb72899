-- Times are milliseconds since the epoch, UTC. Ids are UUIDs as text. JSON is text.

create table meta (
    key     text primary key,
    value   blob not null
);

-- Deduplication outlives the event: (source, id) is remembered for dedup-window, the event for retention.
create table seen (
    source  text not null,
    id      text not null,
    eid     text not null,
    digest  blob not null,
    until   bigint not null,
    primary key (source, id)
);
create index seen_until on seen (until);

create table event (
    eid         text primary key,
    source      text not null,
    id          text not null,
    type        text not null,
    received_at bigint not null,
    hops        integer not null,
    cause       text,
    body        text not null
);
create index event_received on event (received_at, eid);
create index event_type on event (type, received_at);

-- One event going through one route. `seq` is the order of acceptance. `due_at` is when a worker may claim it: while it is
-- leased, that is the end of the lease; null: it ended, waits for a person, or for the run before it.
create table run (
    seq         integer primary key autoincrement,
    id          text not null unique,
    eid         text not null references event (eid) on delete cascade,
    route       text not null,
    revision    bigint not null,
    root        text not null,
    replay_of   text,
    superseded  integer not null default 0,
    replay_from text,
    status      text not null,
    status_reason text,
    waits_for   text,
    undone      integer,
    order_key   text,
    due_at      bigint,
    lease_owner text,
    fence       bigint not null default 0,
    state       text,
    created_at  bigint not null,
    deadline_at bigint not null,
    ended_at    bigint
);
create index run_event on run (eid);
create index run_due on run (due_at) where due_at is not null;
create index run_order on run (route, order_key, seq) where order_key is not null and ended_at is null;
create index run_dead on run (ended_at) where status = 'dead' and superseded = 0;
create index run_root on run (root);
create index run_open on run (status) where ended_at is null;

-- What a step was given and gave, per run.
create table step (
    run     text not null references run (id) on delete cascade,
    name    text not null,
    input   text,
    output  text,
    primary key (run, name)
);

-- A step in its line of runs: where its clock starts, how often it was undone, whether its key-value writes took effect.
create table line_step (
    root        text not null,
    step        text not null,
    round       integer not null,
    clock_start bigint not null,
    undos       integer not null default 0,
    applied     integer not null default 0,
    primary key (root, step, round)
);

create table attempt (
    run         text not null references run (id) on delete cascade,
    step        text not null,
    number      integer not null,
    started_at  bigint not null,
    duration_ms bigint,
    outcome     text,
    error       text,
    logs        text,
    effects     text,
    primary key (run, step, number)
);

-- The journal of writes. Its identity is the line's, so that a replay shares it.
create table effect (
    root        text not null,
    step        text not null,
    round       integer not null,
    undos       integer not null,
    identity    text not null,
    generation  integer not null,
    name        text,
    key         text not null,
    method      text not null,
    url         text not null,
    request_headers text not null,
    request_body blob,
    request_digest blob not null,
    state       text not null,
    doubted     integer not null default 0,
    status      integer,
    response_headers text,
    response_body blob,
    run         text not null,
    attempt     integer not null,
    seq         integer not null,
    started_at  bigint not null,
    duration_ms bigint,
    primary key (root, step, round, undos, identity, generation)
);
create index effect_run on effect (run, step, attempt);

create table key_value (
    plugin  text not null,
    key     text not null,
    value   blob not null,
    version bigint not null,
    primary key (plugin, key)
);

-- A key (or prefix) that a step has read and holds until it settles, with the value it read.
create table key_claim (
    plugin  text not null,
    key     text not null,
    prefix  integer not null,
    root    text not null,
    step    text not null,
    run     text not null,
    seen    text not null,
    primary key (plugin, key, prefix)
);
create index key_claim_run on key_claim (run, step);

create table revision (
    number      integer primary key,
    content     text not null,
    digest      text not null,
    components  text not null,
    applied_at  bigint not null
);

create table component (
    digest  text primary key,
    bytes   blob not null
);

create table secret (
    name        text primary key,
    sealed      blob not null,
    updated_at  bigint not null
);

create table credential (
    name        text primary key,
    version     bigint not null,
    sealed      blob not null,
    lease_holder text,
    lease_until bigint
);

create table api_token (
    id          text primary key,
    digest      blob not null unique,
    name        text not null,
    role        text not null,
    created_at  bigint not null,
    expires_at  bigint
);
