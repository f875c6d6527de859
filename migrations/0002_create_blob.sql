-- Bytes in the object store under their digest. The row comes after the bytes and goes before them, so a row promises
-- that the bytes are there.

create table blob (
    project_id text not null references project,
    digest text not null
        constraint digest_is_blake3 check (digest ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null
        constraint size_is_not_negative check (size_bytes >= 0),
    -- Uploaded by a client. Such a blob is never dropped to make room for artifacts.
    uploaded boolean not null,
    -- Somebody was told that it is there and may submit a job that needs it.
    pinned_until timestamptz not null default now(),
    create_time timestamptz not null default now(),
    primary key (project_id, digest)
);
