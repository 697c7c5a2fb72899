-- audit
-- Who did what, when and from where: each entry bound to the one before by hash, and signed. Never changed, never pruned.
create table audit (
    seq         integer primary key,
    at          bigint not null,
    actor_kind  text not null,
    actor_id    text not null,
    actor_name  text not null,
    origin      text not null,
    action      text not null,
    object      text not null,
    details     text not null,
    previous    text not null,
    hash        text not null unique,
    signature   text not null
);
create index audit_at on audit (at);

-- Against accidents: whoever may change the schema can take these away, and is found out by `sangam audit verify`.
-- [sqlite]
create trigger audit_stays before update on audit begin
    select raise(abort, 'the audit log is append-only');
end;
create trigger audit_is_kept before delete on audit begin
    select raise(abort, 'the audit log is append-only');
end;
-- [postgres]
create function audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_stays before update or delete or truncate on audit execute function audit_refuse();
-- [both]
