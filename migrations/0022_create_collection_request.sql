-- Calls to collect garbage, so that a repeated one is given the first answer.

create table collection_request (
    request_id uuid primary key,
    -- BLAKE3 of the call's content: another call must not use the same id.
    content_hash bytea not null,
    -- What went; null until a collection has ended. Two calls at once under one id both collect, and give one answer.
    answer jsonb,
    create_time timestamptz not null default now()
);
