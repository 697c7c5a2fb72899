-- Sources of the events that a sender may send: patterns, as a JSON list; null: all.
alter table api_token add column sources text;

-- When a token was last used, to about half a minute.
alter table api_token add column used_at bigint;

-- People who are logged in. The cookie's text is nowhere, only its SHA-256.
create table session (
    id          text primary key,
    digest      blob not null unique,
    issuer      text not null,
    subject     text not null,
    name        text not null,
    role        text not null,
    created_at  bigint not null,
    seen_at     bigint not null,
    expires_at  bigint not null
);
