-- Tasks and their attempts. A task belongs to the job that planned it, but every job that waits for it is linked by
-- job_task: this is how two jobs that need the same artifact make it once.

create table task (
    project_id text not null,
    task_id uuid not null,
    -- The job that planned it: its session, its place of delivery.
    job_id uuid not null,
    kind text not null
        constraint kind_is_known check (kind in ('decode', 'stem', 'mix', 'master', 'fused')),
    display_name text not null,
    -- What the worker is told (mixdown_dsp::plan::TaskSpec as JSON); null when there was nothing to do.
    spec text,
    -- What it makes was stored before: it was never run.
    cached boolean not null,
    state text not null
        constraint state_is_known check (state in ('blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled')),
    -- That of the most urgent job that waits for it; lowered further when it waits long.
    priority smallint not null
        constraint priority_is_known check (priority in (0, 1, 2)),
    -- In frames × node cost.
    cost bigint not null
        constraint cost_is_not_negative check (cost >= 0),
    memory_bytes bigint not null
        constraint memory_is_not_negative check (memory_bytes >= 0),
    -- Revisions that the worker must have.
    revisions jsonb not null,
    -- The number of the newest attempt: the fence of every write.
    attempt int not null default 0
        constraint attempt_is_not_negative check (attempt >= 0),
    -- Failures of the task itself, and workers lost under it: they have limits of their own. RetryJob sets both to 0.
    failures int not null default 0,
    losses int not null default 0,
    -- The worker of the newest attempt.
    worker_id uuid references worker,
    -- Not to be tried again before.
    not_before timestamptz not null default now(),
    ready_time timestamptz,
    failure_kind text
        constraint failure_kind_is_known check (
            failure_kind in ('bad_session', 'bad_media', 'resource', 'storage', 'internal', 'worker_lost')),
    failure_message text,
    create_time timestamptz not null default now(),
    end_time timestamptz,
    primary key (project_id, task_id),
    foreign key (project_id, job_id) references job,
    constraint ended_iff_terminal check ((state in ('succeeded', 'failed', 'cancelled')) = (end_time is not null)),
    constraint failure_iff_failed check (
        (state = 'failed') = (failure_kind is not null) and (failure_kind is null) = (failure_message is null)),
    constraint cached_iff_nothing_to_do check (cached = (spec is null)),
    constraint cached_has_succeeded check (not cached or state = 'succeeded' and attempt = 0),
    constraint attempted_iff_a_worker_had_it check ((attempt = 0) = (worker_id is null)),
    constraint running_was_attempted check (state <> 'running' or attempt > 0),
    constraint ready_since_known check (state <> 'ready' or ready_time is not null)
);

-- Finished work leaves the claim index.
create index task_claimable on task (project_id, priority, ready_time, task_id) where state = 'ready';
create index task_running on task (project_id) where state = 'running';
-- Workers name tasks without their project.
create index task_by_id on task (task_id);
create index task_of_job on task (project_id, job_id);

create table job_task (
    project_id text not null,
    job_id uuid not null,
    -- In plan order.
    position int not null,
    task_id uuid not null,
    primary key (project_id, job_id, position),
    unique (project_id, job_id, task_id),
    foreign key (project_id, job_id) references job,
    foreign key (project_id, task_id) references task
);

create index job_task_of_task on job_task (project_id, task_id);

create table task_dependency (
    project_id text not null,
    task_id uuid not null,
    on_task_id uuid not null,
    primary key (project_id, task_id, on_task_id),
    foreign key (project_id, task_id) references task,
    foreign key (project_id, on_task_id) references task,
    constraint no_task_waits_for_itself check (task_id <> on_task_id)
);

create index task_dependency_backwards on task_dependency (project_id, on_task_id);

create table task_input (
    project_id text not null,
    task_id uuid not null,
    artifact_key text not null,
    primary key (project_id, task_id, artifact_key),
    foreign key (project_id, task_id) references task
);

create index task_input_of_artifact on task_input (project_id, artifact_key);

create table task_output (
    project_id text not null,
    task_id uuid not null,
    artifact_key text not null,
    primary key (project_id, task_id, artifact_key),
    foreign key (project_id, task_id) references task
);

create index task_output_of_artifact on task_output (project_id, artifact_key);

-- Every try of a task by a worker, for ever: nothing that a worker was given goes unaccounted for.
create table attempt (
    project_id text not null,
    task_id uuid not null,
    attempt int not null
        constraint attempt_begins_at_1 check (attempt >= 1),
    worker_id uuid not null references worker,
    -- The Lease call that handed it out, so that a repeated call hands out the same.
    lease_request_id uuid not null,
    start_time timestamptz not null default clock_timestamp(),
    end_time timestamptz,
    outcome text
        constraint outcome_is_known check (outcome in ('succeeded', 'failed', 'worker_lost', 'relinquished', 'cancelled')),
    -- The Settle call that ended it, so that a repeated call gets the same answer.
    settle_request_id uuid,
    failure_kind text,
    failure_message text,
    cpu_seconds double precision,
    fetched_bytes bigint,
    stored_bytes bigint,
    realtime_factor double precision,
    primary key (project_id, task_id, attempt),
    foreign key (project_id, task_id) references task,
    constraint outcome_iff_ended check ((outcome is null) = (end_time is null)),
    constraint failure_is_whole check (
        (coalesce(outcome, '') = 'failed') = (failure_kind is not null)
        and (failure_kind is null) = (failure_message is null))
);

create index attempt_of_lease_request on attempt (worker_id, lease_request_id);
create index attempt_open on attempt (worker_id) where end_time is null;

-- The right to an attempt, while it runs. Narrow, and no index but its key: heartbeats update it in place.
create table lease (
    project_id text not null,
    task_id uuid not null,
    attempt int not null,
    worker_id uuid not null references worker,
    -- By the database's clock, like every time that decides.
    expire_time timestamptz not null,
    progress real not null default 0
        constraint progress_is_a_share check (progress between 0 and 1),
    -- The task first, since heartbeats name it without its project.
    primary key (task_id, project_id),
    foreign key (project_id, task_id, attempt) references attempt
)
with (fillfactor = 50);
