-- What a run has sent is found by its line, which the primary key begins with.
drop index effect_run;
-- [sqlite]
-- Small rows that are only ever found by their key.
create table line_step_by_key (
    root        text not null,
    step        text not null,
    round       integer not null,
    clock_start bigint not null,
    undos       integer not null default 0,
    applied     integer not null default 0,
    wrote_keys  integer not null default 0,
    fresh       integer not null default 0,
    primary key (root, step, round)
) without rowid;
insert into line_step_by_key (root, step, round, clock_start, undos, applied, wrote_keys, fresh)
    select root, step, round, clock_start, undos, applied, wrote_keys, fresh from line_step order by root, step, round;
drop table line_step;
alter table line_step_by_key rename to line_step;
-- [both]
