-- The step and action that a dead run failed in, and the cause that it shares with others that died of the same. Null: nobody has asked yet, or its
-- reason was changed since.
alter table run add column failed_step text;
alter table run add column failed_action text;
alter table run add column cause text;
-- Dead letters by cause: counted from the index alone.
create index run_cause on run (cause, ended_at, seq) where status = 'dead' and superseded = 0;
-- A token that was revoked stays on the list for a while, and opens nothing.
alter table api_token add column revoked_at bigint;
-- Who applied a configuration: kind and name, as the audit log has them. Null: applied by an earlier version.
alter table revision add column applied_by_kind text;
alter table revision add column applied_by_name text;
