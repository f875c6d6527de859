-- When workers were last heard of, apart from what they are. Every heartbeat writes here, so that the rows of `worker`,
-- which every claim reads, stay where they are: while somebody holds a snapshot open nothing dead is cleared away, and
-- whoever looked a worker up would walk over each of its heartbeats.
create table worker_pulse (
    worker_id uuid primary key references worker on delete cascade,
    -- That a worker is lost is not stored: it follows from this.
    heartbeat_time timestamptz not null
)
-- Room for updates in place.
with (fillfactor = 50);

insert into worker_pulse (worker_id, heartbeat_time) select worker_id, heartbeat_time from worker;

drop function worker_overview;
alter table worker drop column heartbeat_time;
alter table worker reset (fillfactor);

-- The workers that take tasks: active, not quarantined, heard of within so many seconds. Whoever asks what the farm can run
-- asks this.
create function live_workers(lost_after_seconds double precision) returns table (
    worker_id uuid, name text, slots int, memory_bytes bigint, labels text[], revisions jsonb)
language sql stable
begin atomic
    select worker.worker_id, worker.name, worker.slots, worker.memory_bytes, worker.labels, worker.revisions
    from worker
    join worker_pulse using (worker_id)
    where worker.state = 'active' and worker.quarantine_reason is null
        and worker_pulse.heartbeat_time > farm_now() - make_interval(secs => lost_after_seconds);
end;

-- As it was, with the heartbeat where it is now.
create function worker_overview(lost_after_seconds double precision) returns table (
    worker_id uuid, name text, slots int, version text, state text, running bigint, heartbeat_micros bigint,
    quarantine_reason text, quarantine_micros bigint,
    memory_bytes bigint, labels text[], used_slots bigint, used_memory_bytes bigint)
language sql stable
begin atomic
    select
        worker.worker_id, worker.name, worker.slots, worker.version,
        case
            when worker.state <> 'gone'
                and worker_pulse.heartbeat_time < farm_now() - make_interval(secs => lost_after_seconds)
                then 'lost'
            when worker.state = 'active' and worker.quarantine_reason is not null then 'quarantined'
            else worker.state
        end,
        load.running,
        (extract(epoch from worker_pulse.heartbeat_time) * 1000000)::bigint,
        worker.quarantine_reason,
        (extract(epoch from worker.quarantine_time) * 1000000)::bigint,
        worker.memory_bytes, worker.labels, load.used_slots, load.used_memory_bytes
    from worker
    join worker_pulse using (worker_id)
    cross join lateral (
        select
            count(*) as running,
            coalesce(sum(lease.slots), 0)::bigint as used_slots,
            coalesce(sum(lease.memory_bytes), 0)::bigint as used_memory_bytes
        from attempt
        left join lease using (project_id, task_id, attempt)
        where attempt.worker_id = worker.worker_id and attempt.end_time is null
    ) as load;
end;

-- The step between reservations of about so much memory (at least 1 byte): a quarter of the power of two below.
create function memory_step_width(memory_bytes bigint) returns bigint
language sql immutable
return greatest(1, (2 ^ (floor(log(2, memory_bytes::numeric)) - 2))::bigint);

-- As it was: memory in whole steps, rounded up.
create or replace function memory_step(memory_bytes bigint) returns bigint
language sql immutable
return case
    when memory_bytes <= 1048576 then 1048576
    else (memory_bytes + memory_step_width(memory_bytes) - 1) / memory_step_width(memory_bytes)
        * memory_step_width(memory_bytes)
end;

-- The largest reservation that so much memory (at least 1 byte) has room for.
create function memory_step_within(memory_bytes bigint) returns bigint
language sql immutable
return memory_bytes / memory_step_width(memory_bytes) * memory_step_width(memory_bytes);
