-- Failures tell two things apart: what is wrong with a task, and what is wrong with the worker that had it. What a task lost
-- to the store is counted apart from its own failures, and a worker that fails the tasks of several jobs is set aside.

-- Attempts that the store failed, beside `failures` and `losses`; RetryJob sets it to 0 too.
alter table task add column storage_failures int not null default 0;
-- Times that `memory_bytes` was raised because a worker ran out of memory.
alter table task add column memory_raises int not null default 0;

alter table task drop constraint failure_kind_is_known;
alter table task add constraint failure_kind_is_known check (
    failure_kind in ('bad_session', 'bad_media', 'resource', 'out_of_memory', 'storage', 'internal', 'worker_lost'));
alter table job drop constraint failure_kind_is_known;
alter table job add constraint failure_kind_is_known check (
    failure_kind in ('bad_session', 'bad_media', 'resource', 'out_of_memory', 'storage', 'internal', 'worker_lost'));

-- That a worker was lost has a reason too: a task that stops as a killer of workers shows it with its history.
alter table attempt drop constraint failure_is_whole;
alter table attempt add constraint failure_is_whole check (
    (failure_kind is null) = (failure_message is null)
    and (failure_kind is null or outcome in ('failed', 'worker_lost'))
    and (coalesce(outcome, '') <> 'failed' or failure_kind is not null));
-- What a worker failed lately, whenever it fails once more.
create index attempt_failed on attempt (worker_id, end_time) where outcome = 'failed';

alter table worker
    -- Why it is given no tasks; null when it is. Apart from `state`, for leaving and coming back do not end it.
    add column quarantine_reason text,
    add column quarantine_time timestamptz,
    -- What it failed before is forgiven.
    add column forgiven_time timestamptz not null default now(),
    -- The Register call that it last came with: a repetition ends none of its attempts.
    add column register_request_id uuid,
    add constraint quarantine_is_whole check ((quarantine_reason is null) = (quarantine_time is null));

-- Calls of admins that concern workers and may be repeated, as `request` is for those that concern jobs.
create table worker_request (
    request_id uuid primary key,
    content_hash bytea not null
        constraint content_hash_is_blake3 check (octet_length(content_hash) = 32),
    worker_id uuid not null references worker,
    create_time timestamptz not null default now()
);

-- Workers as admins see them, in one place: what one of them and a list must agree on. One that was not heard of for so many
-- seconds is lost.
create function worker_overview(lost_after_seconds double precision) returns table (
    worker_id uuid, name text, slots int, version text, state text, running bigint, heartbeat_micros bigint,
    quarantine_reason text, quarantine_micros bigint)
language sql stable
begin atomic
    select
        worker.worker_id, worker.name, worker.slots, worker.version,
        case
            when worker.state <> 'gone' and worker.heartbeat_time < now() - make_interval(secs => lost_after_seconds)
                then 'lost'
            when worker.state = 'active' and worker.quarantine_reason is not null then 'quarantined'
            else worker.state
        end,
        (select count(*) from attempt where attempt.worker_id = worker.worker_id and attempt.end_time is null),
        (extract(epoch from worker.heartbeat_time) * 1000000)::bigint,
        worker.quarantine_reason,
        (extract(epoch from worker.quarantine_time) * 1000000)::bigint
    from worker;
end;
