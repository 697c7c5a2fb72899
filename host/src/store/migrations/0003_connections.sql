-- Whether a credential is broken, as the hosts on the store agree. Each turn has a number; the event of turn `told` is in the store.
create table credential_health (
    name        text primary key,
    broken      bigint not null,
    number      bigint not null,
    changed_at  bigint not null,
    kind        text not null,
    reason      text,
    told        bigint not null
);

-- Consents that were asked for. The answer that brings the state ends one, once.
create table consent (
    id          text primary key,
    state       blob not null,
    credential  text not null,
    sealed      blob not null,
    redirect_uri text not null,
    expires_at  bigint not null,
    answered    bigint not null,
    outcome     text
);
create unique index consent_state on consent (state);
