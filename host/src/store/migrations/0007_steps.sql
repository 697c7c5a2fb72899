-- What kind of write it was: a plugin's request, or of the host's own steps a mail, a message to a broker, a webhook.
alter table effect add column kind text not null default 'http';

-- The round that the input is of.
alter table step add column round integer not null default 0;

-- A run that gave up its order key while it waits: 1, away; 2, woken, and in line again before all that wait for their turn.
alter table run add column order_away integer not null default 0;
drop index run_order;
create index run_order on run (route, order_key, order_away, (coalesce(order_place, seq)))
    where order_key is not null and (ended_at is null or (status = 'dead' and order_hold = 1 and superseded = 0));

-- A step that waits for an event of one of these types, a row for each. `path` and `digest`: only an event that has a value of that digest there can be
-- the one; empty: any. `look_at`, `look_eid`: how far the events that came before it began to wait have been looked at; null: all of them.
create table wait (
    run         text not null references run (id) on delete cascade,
    step        text not null,
    type        text not null,
    path        text not null,
    digest      text not null,
    condition   text,
    look_at     bigint,
    look_eid    text,
    matched     text,
    matched_at  bigint,
    failed      text,
    primary key (run, step, type)
);
create index wait_type on wait (type, path, digest, run, step) where matched is null;
create index wait_look on wait (look_at) where look_at is not null and matched is null;
create index wait_matched on wait (matched) where matched is not null;

-- Events of types that somebody waits for, not yet held against those who do. `due_at`: a host has it in hand until then.
create table arrival (
    seq         integer primary key autoincrement,
    eid         text not null unique,
    type        text not null,
    due_at      bigint not null
);
create index arrival_due on arrival (due_at, seq);
