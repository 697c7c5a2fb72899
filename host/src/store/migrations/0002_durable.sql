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
