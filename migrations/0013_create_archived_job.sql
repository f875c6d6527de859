-- Ended jobs leave the tables that every claim and settlement reads: a year of history must cost them nothing. What clients
-- may still ask of such a job is kept in one row; it is written once and never joined.

create table archived_job (
    project_id text not null references project,
    job_id uuid not null,
    display_name text not null,
    state text not null
        constraint only_ended_jobs check (state in ('succeeded', 'failed', 'cancelled')),
    priority smallint not null,
    session_digest text not null,
    deliver_to text not null,
    revisions jsonb not null,
    last_sequence bigint not null,
    failure_kind text,
    failure_message text,
    progress double precision not null,
    create_time timestamptz not null,
    end_time timestamptz not null,
    archive_time timestamptz not null default now(),
    -- As they were shown, in plan order and in the session's order.
    tasks jsonb not null,
    deliverables jsonb not null,
    -- Of those tasks of which one did not succeed.
    attempts jsonb not null,
    events jsonb not null,
    primary key (project_id, job_id)
);

create index archived_job_newest_first on archived_job (project_id, create_time desc, job_id desc);
create index archived_job_of_session on archived_job (project_id, session_digest, create_time desc);
create index job_ended on job (end_time) where state <> 'active';

-- An artifact outlives the record of the task that made it.
alter table artifact drop constraint artifact_project_id_task_id_fkey;
-- Calls go with their job.
create index request_of_job on request (project_id, job_id);
