-- How endpoints of webhooks are doing, as the hosts on the store agree: one that has failed for long is disabled. Each turn has a number; the event of
-- turn `told` is in the store.
create table subscriber (
    name            text primary key,
    failures        integer not null,
    failing_since   integer,
    last_success_at integer,
    last_failure_at integer,
    reason          text,
    disabled_at     integer,
    turned_at       integer not null,
    number          integer not null,
    told            integer not null
);
