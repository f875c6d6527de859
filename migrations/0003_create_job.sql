-- Jobs: what clients see. The document is stored once however often it is submitted.

create table session (
    project_id text not null references project,
    session_digest text not null
        constraint session_digest_is_blake3 check (session_digest ~ '^[0-9a-f]{64}$'),
    document text not null,
    document_bytes int not null generated always as (octet_length(document)) stored,
    create_time timestamptz not null default now(),
    primary key (project_id, session_digest)
);

create table job (
    project_id text not null references project,
    job_id uuid not null,
    session_digest text not null,
    display_name text not null,
    -- 0 urgent, 1 normal, 2 bulk.
    priority smallint not null
        constraint priority_is_known check (priority in (0, 1, 2)),
    state text not null default 'active'
        constraint state_is_known check (state in ('active', 'succeeded', 'failed', 'cancelled')),
    deliver_to text not null,
    replace boolean not null,
    -- Revision by name of node or stage, fixed when the job was submitted.
    revisions jsonb not null,
    -- The last sequence given to an event. Raised under the row's lock, which is what makes sequences gapless and
    -- visible in order.
    last_sequence bigint not null default 0,
    failure_kind text
        constraint failure_kind_is_known check (
            failure_kind in ('bad_session', 'bad_media', 'resource', 'storage', 'internal', 'worker_lost')),
    failure_message text,
    create_time timestamptz not null default now(),
    end_time timestamptz,
    primary key (project_id, job_id),
    foreign key (project_id, session_digest) references session,
    constraint ended_iff_not_active check ((state = 'active') = (end_time is null)),
    constraint failure_iff_failed check (
        (state = 'failed') = (failure_kind is not null) and (failure_kind is null) = (failure_message is null))
);

create index job_newest_first on job (project_id, create_time desc, job_id desc);
create index job_of_session on job (project_id, session_digest, create_time desc);
create index job_active on job (project_id, job_id) where state = 'active';

create table deliverable (
    project_id text not null,
    job_id uuid not null,
    -- In the session's order.
    position int not null,
    file_name text not null,
    -- The artifact that it is; its digest, size and report stand there.
    artifact_key text not null
        constraint artifact_key_is_blake3 check (artifact_key ~ '^[0-9a-f]{64}$'),
    -- It lies under its name where the job delivers to.
    delivered boolean not null default false,
    primary key (project_id, job_id, position),
    unique (project_id, job_id, file_name),
    foreign key (project_id, job_id) references job
);

create index deliverable_of_artifact on deliverable (project_id, artifact_key);
create index deliverable_pending on deliverable (project_id, job_id) where not delivered;

create table event (
    project_id text not null,
    job_id uuid not null,
    sequence bigint not null
        constraint sequence_begins_at_1 check (sequence >= 1),
    create_time timestamptz not null default clock_timestamp(),
    -- The job after the event.
    job_state text not null,
    progress double precision not null
        constraint progress_is_a_share check (progress between 0 and 1),
    -- The task after the event, when it concerns one.
    task_id uuid,
    task_state text,
    attempt int,
    message text not null,
    primary key (project_id, job_id, sequence),
    foreign key (project_id, job_id) references job,
    constraint task_is_whole check ((task_id is null) = (task_state is null) and (task_id is null) = (attempt is null))
);

-- Calls that may be repeated. The same id with other content is an error.
create table request (
    project_id text not null references project,
    request_id uuid not null,
    -- BLAKE3 of the call's name and content.
    content_hash bytea not null
        constraint content_hash_is_blake3 check (octet_length(content_hash) = 32),
    job_id uuid not null,
    -- What the answer said beside the job.
    answer jsonb not null,
    create_time timestamptz not null default now(),
    primary key (project_id, request_id),
    foreign key (project_id, job_id) references job
);
