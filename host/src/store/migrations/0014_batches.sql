-- Actions done for several runs at once: what has begun and is not known to have ended. To each member's own journal a batch is one write (kind `batch`, named by
-- the batch's id); the requests that the batch made are writes of a line that is the batch itself. All of it is gone when every member has its result.
create table batch (
    id          text primary key,
    plugin      text not null,
    action      text not null,
    -- The run that does it, under that lease; empty: nobody does.
    run         text not null,
    fence       bigint not null,
    -- How often it was begun.
    calls       bigint not null,
    created_at  bigint not null,
    -- The members in their order, JSON, with input and context of each.
    members     text not null
);
create index effect_batch on effect (name) where kind = 'batch';
