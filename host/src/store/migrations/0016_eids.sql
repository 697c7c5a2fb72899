-- The order of eids is that in which events came: they are listed by the primary key.
drop index event_received;
