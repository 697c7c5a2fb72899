-- Personal data of it was erased: it can't be replayed.
alter table event add column erased_at bigint;
-- What came of an event: the cause begins with its eid.
create index event_caused on event (cause) where cause is not null;
-- The token's bearer sees fields that are marked personal, whatever its role.
alter table api_token add column personal integer not null default 0;

-- Erasures that were asked for. Whose data is meant is sealed, and gone when it is done; how far it has come is `received_at`, `eid`.
create table erasure (
    id          text primary key,
    subject     text not null,
    sealed      blob,
    state       text not null,
    requested_at bigint not null,
    received_at bigint not null,
    eid         text not null,
    scanned     bigint not null default 0,
    events      bigint not null default 0,
    places      bigint not null default 0,
    key_values  bigint not null default 0,
    identities  bigint not null default 0,
    note        text,
    lease_owner text,
    lease_until bigint,
    finished_at bigint
);
create index erasure_open on erasure (requested_at) where finished_at is null;
-- Events that an erasure waits for: their runs have not ended.
create table erasure_wait (
    erasure     text not null references erasure (id) on delete cascade,
    eid         text not null,
    primary key (erasure, eid)
);
