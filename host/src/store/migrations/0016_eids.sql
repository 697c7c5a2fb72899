-- The order of eids is that in which events came: they are listed by the primary key.
drop index event_received;
-- Their places were times and eids, and the eids of before may be in another order: what is looked through begins anew.
update erasure set received_at = -1, eid = '' where finished_at is null and state = 'looking';
