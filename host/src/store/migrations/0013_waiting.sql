-- Runs that wait by design are no part of the backlog. Both are counted from the index alone, which has every column that is asked for: SQLite looks into
-- the row for one that only the condition names.
drop index run_open;
create index run_open on run (status, waits_for, ended_at) where ended_at is null;
-- What was set aside, named the person, and went with an erasure.
alter table erasure add column set_aside bigint not null default 0;
