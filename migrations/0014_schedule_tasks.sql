-- Scheduling: what tasks ask of workers, what workers offer, limits, and what the claim needs to stay fast with a million
-- ready tasks, a long history, and a snapshot that somebody holds open (then nothing dead is cleared away: whatever is
-- read in every claim must be found without walking over what is dead).

-- The farm's clock: every decision about who runs what, when, asks it. A function of its own so that a simulation can put
-- a clock of its own into its database. By statement, not transaction: a transaction that waited for the queue's lock
-- would otherwise decide by the time at which it began to wait.
create function farm_now() returns timestamptz
language sql stable
return statement_timestamp();

-- Tasks of the project that may run at once; null for any number.
alter table project
    add column running_limit int
        constraint running_limit_is_positive check (running_limit >= 0);

-- Things that tasks of all projects share and of which there is a number: licences of a plug-in, upload lines.
create table named_limit (
    name text primary key
        constraint name_is_a_word check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    -- Tasks that may hold it at once.
    count int not null
        constraint count_is_not_negative check (count >= 0)
);

alter table worker
    -- Memory for its tasks together; null when it did not say: then none is refused for it.
    add column memory_bytes bigint
        constraint memory_is_positive check (memory_bytes > 0),
    add column labels text[] not null default '{}';

-- What every task of a job asks of a worker (mixdown_coordinator::queue::submit::Requirements).
alter table job
    add column requirements jsonb not null
        default '{"slots": 1, "whole_worker": false, "memory_bytes": 0, "labels": [], "limits": []}';

-- Memory in steps of a quarter of a power of two, rounded up, so that few demands differ by it alone.
create function memory_step(memory_bytes bigint) returns bigint
language sql immutable
return case
    when memory_bytes <= 1048576 then 1048576
    else (
        select (memory_bytes + step - 1) / step * step
        from (select (2 ^ (floor(log(2, memory_bytes::numeric)) - 2))::bigint as step) as steps)
end;

-- What tasks of a project ask of a worker. Tasks that ask the same can stand for each other in everything but their
-- place in the queue: the claim looks at the first few of each demand, whatever stands behind them.
create table demand (
    project_id text not null references project,
    demand_id int not null generated always as identity,
    -- Slots that the task takes.
    slots int not null
        constraint slots_are_sane check (slots between 1 and 1024),
    -- It takes all slots of its worker, at least `slots`.
    whole_worker boolean not null,
    memory_bytes bigint not null
        constraint memory_is_in_steps check (memory_bytes = memory_step(memory_bytes)),
    -- Sorted, each once. The worker has all of the labels; of each limit there is one left.
    labels text[] not null,
    limits text[] not null,
    revisions jsonb not null,
    primary key (project_id, demand_id)
);

-- A digest, because revisions may be longer than an index entry.
create unique index demand_once
    on demand (project_id, slots, whole_worker, memory_bytes, labels, limits, md5(revisions::text));

alter table task
    -- Null when there was nothing to do.
    add column demand_id int,
    -- The worker that made most of what it reads, so that its cache is likely to hold it: a hint.
    add column near_worker_id uuid,
    add foreign key (project_id, demand_id) references demand;

insert into demand (project_id, slots, whole_worker, memory_bytes, labels, limits, revisions)
select distinct project_id, 1, false, memory_step(memory_bytes), '{}'::text[], '{}'::text[], revisions
from task
where not cached;

update task
set demand_id = demand.demand_id
from demand
where not task.cached and demand.project_id = task.project_id
    and demand.memory_bytes = memory_step(task.memory_bytes) and demand.revisions = task.revisions;

alter table task add constraint demand_iff_something_to_do check (cached = (demand_id is null));

drop index task_claimable;
drop index task_running;
create index task_claimable on task (project_id, demand_id, priority, ready_time, task_id) where state = 'ready';

-- A task whose need of memory changes is another demand.
create function follow_memory() returns trigger
language plpgsql as $$
begin
    insert into demand (project_id, slots, whole_worker, memory_bytes, labels, limits, revisions)
    select project_id, slots, whole_worker, memory_step(new.memory_bytes), labels, limits, revisions
    from demand
    where project_id = old.project_id and demand_id = old.demand_id
    on conflict do nothing;
    select wanted.demand_id into strict new.demand_id
    from demand
    join demand as wanted using (project_id, slots, whole_worker, labels, limits, revisions)
    where demand.project_id = old.project_id and demand.demand_id = old.demand_id
        and wanted.memory_bytes = memory_step(new.memory_bytes);
    return new;
end
$$;

create trigger memory_is_part_of_the_demand before update of memory_bytes on task
for each row when (new.memory_bytes <> old.memory_bytes and new.demand_id is not null)
execute function follow_memory();

-- Where the ready tasks of a demand and priority begin: none became ready before. The claim moves it on, at most every
-- few seconds; whatever makes a task ready moves it back if need be, by the triggers below. Entries of the claim index
-- before it are dead and never walked over.
create table claim_front (
    project_id text not null,
    demand_id int not null,
    priority smallint not null,
    front_time timestamptz not null,
    -- When the claim moved it on.
    move_time timestamptz not null,
    primary key (project_id, demand_id, priority),
    foreign key (project_id, demand_id) references demand
)
with (fillfactor = 50);

insert into claim_front (project_id, demand_id, priority, front_time, move_time)
select project_id, demand_id, priority, min(ready_time), farm_now()
from task
where state = 'ready'
group by project_id, demand_id, priority;

create function set_fronts_back() returns trigger
language plpgsql as $$
begin
    insert into claim_front (project_id, demand_id, priority, front_time, move_time)
    select project_id, demand_id, priority, min(ready_time), farm_now()
    from added
    where state = 'ready'
    group by project_id, demand_id, priority
    on conflict (project_id, demand_id, priority) do update
    set front_time = excluded.front_time
    where claim_front.front_time > excluded.front_time;
    return null;
end
$$;

create trigger new_tasks_stand_behind_the_front after insert on task
referencing new table as added
for each statement execute function set_fronts_back();

create function set_front_back() returns trigger
language plpgsql as $$
begin
    if exists (
        select from claim_front
        where project_id = new.project_id and demand_id = new.demand_id and priority = new.priority
            and front_time <= new.ready_time)
    then
        return null;
    end if;
    insert into claim_front (project_id, demand_id, priority, front_time, move_time)
    values (new.project_id, new.demand_id, new.priority, new.ready_time, farm_now())
    on conflict (project_id, demand_id, priority) do update set front_time = excluded.front_time;
    return null;
end
$$;

create trigger ready_tasks_stand_behind_the_front after update on task
for each row when (
    new.state = 'ready'
    and (
        old.state <> 'ready' or new.priority <> old.priority or new.demand_id <> old.demand_id
        or new.ready_time < old.ready_time))
execute function set_front_back();

alter table lease
    -- What it takes of its worker.
    add column slots int not null default 1
        constraint slots_are_sane check (slots between 1 and 1024),
    add column memory_bytes bigint not null default 0,
    add column limits text[] not null default '{}';

update lease set memory_bytes = demand.memory_bytes
from task
join demand using (project_id, demand_id)
where task.project_id = lease.project_id and task.task_id = lease.task_id;

alter table lease
    alter column slots drop default, alter column memory_bytes drop default, alter column limits drop default;

-- What runs, counted: tasks and slots by project, tasks by named limit, as {"tasks/PROJECT": 3, "slots/PROJECT": 4,
-- "limit/NAME": 1}, zeros left out. The last row counts; every change adds one, so that the newest is found at the end of
-- the key however many are dead. Leases come and go under the queue's lock alone, and with them, by triggers, these counts.
create table usage (
    version bigint generated always as identity primary key,
    counts jsonb not null
);

insert into usage (counts)
select coalesce(jsonb_object_agg(name, change), '{}')
from (
    select 'tasks/' || project_id as name, count(*) as change from lease group by project_id
    union all
    select 'slots/' || project_id, sum(slots) from lease group by project_id
) as running;

create function count_leases() returns trigger
language plpgsql as $$
declare
    sign int := case tg_op when 'INSERT' then 1 else -1 end;
begin
    insert into usage (counts)
    select jsonb_strip_nulls(last.counts || changes.counts)
    from (select counts from usage order by version desc limit 1) as last
    cross join lateral (
        select jsonb_object_agg(
            name, nullif(coalesce((last.counts ->> name)::bigint, 0) + sign * change, 0)) as counts
        from (
            select name, sum(change) as change
            from (
                select 'tasks/' || project_id as name, 1 as change from changed
                union all
                select 'slots/' || project_id, slots from changed
                union all
                select 'limit/' || held.name, 1 from changed cross join unnest(limits) as held (name)
            ) as single
            group by name
        ) as summed
    ) as changes
    where changes.counts is not null;
    return null;
end
$$;

create trigger leases_count after insert on lease
referencing new table as changed
for each statement execute function count_leases();

create trigger leases_count_no_more after delete on lease
referencing old table as changed
for each statement execute function count_leases();

create function count_nothing() returns trigger
language plpgsql as $$
begin
    insert into usage (counts) values ('{}');
    return null;
end
$$;

create trigger no_lease_counts after truncate on lease
for each statement execute function count_nothing();

-- A worker kept free for a task that needs more of it than ever becomes free by itself.
create table reservation (
    worker_id uuid primary key references worker on delete cascade,
    project_id text not null,
    task_id uuid not null,
    create_time timestamptz not null default farm_now(),
    unique (project_id, task_id),
    foreign key (project_id, task_id) references task on delete cascade
);

-- As it was, with what workers offer and what their tasks take of it.
drop function worker_overview;
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
                and worker.heartbeat_time < farm_now() - make_interval(secs => lost_after_seconds)
                then 'lost'
            when worker.state = 'active' and worker.quarantine_reason is not null then 'quarantined'
            else worker.state
        end,
        load.running,
        (extract(epoch from worker.heartbeat_time) * 1000000)::bigint,
        worker.quarantine_reason,
        (extract(epoch from worker.quarantine_time) * 1000000)::bigint,
        worker.memory_bytes, worker.labels, load.used_slots, load.used_memory_bytes
    from worker
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
