-- An event carries its identity itself; `seen` remembers those whose event is gone. Events of before have no digest of their own, and stay in `seen` as well.
alter table event add column digest blob;
alter table event add column seen_until bigint;
create unique index event_identity on event (source, id) where digest is not null;
-- Events of one millisecond are put in order when they are read.
drop index event_received;
create index event_received on event (received_at);
