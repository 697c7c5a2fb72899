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
