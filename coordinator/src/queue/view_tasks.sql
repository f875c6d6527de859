-- The tasks of job ($1, $2) in plan order, all or those of $3, with what explains why they wait. A task enters the front
-- class after $4 seconds for each class that it stands behind. At most 1001 tasks ahead are counted, and only those that could
-- take its place: some worker heard of within $5 seconds could run both, and no limit holds them up.
with concerned as (
    select job_task.position, task.*
    from job_task
    join task using (project_id, task_id)
    where job_task.project_id = $1 and job_task.job_id = $2 and ($3::uuid[] is null or task.task_id = any ($3))
),
-- Tasks of a job mostly became ready together: what stands ahead is counted once for them.
place as (
    select
        priority, ready_time, demand_id,
        case when ready_time <= farm_now() - make_interval(secs => $4 * priority) then 0 else priority end as class
    from concerned
    where state = 'ready'
    group by priority, ready_time, demand_id
),
rival as (
    select own.demand_id, other.demand_id as rival_id
    from demand as own
    join demand as other on other.project_id = $1
    where own.project_id = $1 and own.demand_id in (select demand_id from place)
        and other.demand_id in (select demand_id from claim_front where project_id = $1)
        and (
            other.demand_id = own.demand_id
            or limits_have_room(other.limits) and exists (
                select from live_workers($5) as worker
                where worker.slots >= greatest(own.slots, other.slots)
                    and coalesce(worker.memory_bytes >= greatest(own.memory_bytes, other.memory_bytes), true)
                    and worker.labels @> own.labels and worker.labels @> other.labels
                    and worker.revisions @> own.revisions and worker.revisions @> other.revisions))
),
ahead as (
    select
        place.priority, place.ready_time, place.demand_id,
        coalesce(sum(counted.tasks) filter (where front.priority < place.class), 0)::bigint as more_urgent,
        coalesce(sum(counted.tasks) filter (where front.priority >= place.class), 0)::bigint as as_urgent
    from place
    join rival using (demand_id)
    join claim_front as front on front.project_id = $1 and front.demand_id = rival.rival_id
    cross join lateral (
        select count(*) as tasks
        from (
            select from task
            where task.project_id = $1 and task.demand_id = front.demand_id and task.priority = front.priority
                and task.state = 'ready' and task.ready_time >= front.front_time
                and task.ready_time < case
                    when front.priority < place.class then 'infinity'
                    when front.priority = place.class then place.ready_time
                    else least(place.ready_time, farm_now() - make_interval(secs => $4 * front.priority))
                end
            limit 1001
        ) as first
    ) as counted
    group by place.priority, place.ready_time, place.demand_id
)
select
    task.task_id, task.kind, task.display_name, task.state, task.attempt, task.cached,
    task.failure_kind, task.failure_message,
    coalesce(demand.slots, 1) as slots, coalesce(demand.whole_worker, false) as whole_worker,
    coalesce(demand.memory_bytes, 0) as memory_bytes, coalesce(demand.labels, '{}') as labels,
    coalesce(demand.limits, '{}') as limits, coalesce(demand.revisions, '{}') as revisions,
    coalesce(worker.name, '') as worker_name,
    case when task.state = 'succeeded' and not task.cached
        then extract(epoch from newest.end_time - newest.start_time)::double precision else 0
    end as seconds,
    case when task.state = 'succeeded' then coalesce(newest.realtime_factor, 0) else 0 end as realtime_factor,
    case task.state
        when 'succeeded' then 1
        when 'running' then coalesce(lease.progress, 0)
        else 0
    end::double precision as progress,
    coalesce(
        (
            select array_agg(obstacle.display_name order by obstacle.task_id)
            from task_dependency
            join task as obstacle
                on obstacle.project_id = task_dependency.project_id and obstacle.task_id = task_dependency.on_task_id
            where task.state = 'blocked'
                and task_dependency.project_id = task.project_id and task_dependency.task_id = task.task_id
                and obstacle.state <> 'succeeded'
        ),
        '{}') as obstacles,
    coalesce(ahead.more_urgent, 0) as more_urgent,
    coalesce(ahead.as_urgent, 0)
        + row_number() over (partition by task.state, task.priority, task.ready_time order by task.task_id) - 1
        as as_urgent,
    greatest(0, extract(epoch from greatest(task.not_before, task.ready_time) - farm_now()))::double precision
        as seconds_to_wait,
    newest.failure_message as last_failure
from concerned as task
left join demand on demand.project_id = task.project_id and demand.demand_id = task.demand_id
left join ahead
    on task.state = 'ready' and ahead.priority = task.priority and ahead.ready_time = task.ready_time
    and ahead.demand_id = task.demand_id
left join worker on worker.worker_id = task.worker_id
left join lease on lease.project_id = task.project_id and lease.task_id = task.task_id
left join attempt as newest
    on newest.project_id = task.project_id and newest.task_id = task.task_id and newest.attempt = task.attempt
order by task.position
