-- Artifacts that are stored: stems, mixes, solutions, decoded assets, masters. That one is being made is not written
-- here; it follows from the unfinished task among whose outputs it is.

create table artifact (
    project_id text not null references project,
    artifact_key text not null
        constraint artifact_key_is_blake3 check (artifact_key ~ '^[0-9a-f]{64}$'),
    digest text not null,
    size_bytes bigint not null
        constraint size_is_not_negative check (size_bytes >= 0),
    -- What was measured and decided, for masters.
    report text,
    -- Masters are never dropped.
    master boolean not null,
    -- The task that made it.
    task_id uuid not null,
    use_time timestamptz not null default now(),
    create_time timestamptz not null default now(),
    primary key (project_id, artifact_key),
    foreign key (project_id, digest) references blob,
    foreign key (project_id, task_id) references task
);

create index artifact_of_blob on artifact (project_id, digest);
create index artifact_least_recently_used on artifact (use_time) where not master;
