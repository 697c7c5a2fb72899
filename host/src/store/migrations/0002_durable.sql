-- Hosts that share the store: which configuration each has, which ones it can't serve, and when it was last heard of.
create table host (
    id          text primary key,
    version     text not null,
    revision    bigint not null,
    cannot_serve text not null,
    started_at  bigint not null,
    seen_at     bigint not null
);

-- limits
-- Due runs by route, for a fair share of each. The plain list by time is no longer asked for.
drop index run_due;
create index run_due on run (route, due_at, seq) where due_at is not null;

-- The component that an attempt used.
alter table attempt add column digest text;

-- Canaries that failed too often. Forgotten when the configuration no longer has them.
create table canary_rollback (
    trial       text primary key,
    plugin      text not null,
    digest      text not null,
    rolled_back_at bigint not null,
    reason      text not null
);

-- Breakers that are not closed, and when each plugin's rate is full again: shared by the hosts on one store.
create table breaker (
    plugin      text not null,
    host        text not null,
    failures    bigint not null,
    open_until  bigint not null,
    probe_until bigint,
    primary key (plugin, host)
);
create table rate (
    plugin      text primary key,
    full_at     bigint not null
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

-- undo
-- A dead run of its route keeps its order key (order-on-dead = "hold"), until it is replayed or given up.
alter table run add column order_hold integer not null default 0;
-- Its place in the order of its key where that is not its own `seq`: a replay takes that of the run that kept the key.
alter table run add column order_place bigint;
drop index run_order;
-- Those that hold a place: whatever has not ended, and dead runs that keep their key.
create index run_order on run (route, order_key, (coalesce(order_place, seq)))
    where order_key is not null and (ended_at is null or (status = 'dead' and order_hold = 1 and superseded = 0));
-- Whether key-value writes of the step are in effect.
alter table line_step add column wrote_keys integer not null default 0;
-- The step was undone and has not begun since: its clock starts anew.
alter table line_step add column fresh integer not null default 0;
-- What a person said of a write in doubt: done, not-done.
alter table effect add column decided text;

-- The last settlement of a run: one whose commit was thought to have failed is known again.
alter table run add column settlement text;
