-- Leases tasks ($1, $2), found ready under the queue's lock, to workers $3, for Lease calls $4, taking $5 of their slots, for
-- $6 seconds: task, attempt and lease in one statement. Gives project, task and an event's text.
with chosen as (
    select *
    from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[]) with ordinality
        as chosen (project_id, task_id, worker_id, request_id, slots, place)
),
claimed as (
    update task
    set state = 'running', attempt = task.attempt + 1, worker_id = chosen.worker_id
    from chosen
    where task.project_id = chosen.project_id and task.task_id = chosen.task_id
    returning
        task.project_id, task.task_id, task.attempt, task.display_name, task.demand_id,
        chosen.worker_id, chosen.request_id, chosen.slots, chosen.place
),
opened as (
    insert into attempt (project_id, task_id, attempt, worker_id, lease_request_id)
    select project_id, task_id, attempt, worker_id, request_id from claimed
),
leased as (
    insert into lease (project_id, task_id, attempt, worker_id, expire_time, slots, memory_bytes, limits)
    select
        claimed.project_id, claimed.task_id, claimed.attempt, claimed.worker_id,
        farm_now() + make_interval(secs => $6), claimed.slots, demand.memory_bytes, demand.limits
    from claimed
    join demand using (project_id, demand_id)
),
kept_no_more as (
    delete from reservation
    using claimed
    where reservation.project_id = claimed.project_id and reservation.task_id = claimed.task_id
)
select claimed.project_id, claimed.task_id, claimed.display_name || ' runs on ' || worker.name
from claimed
join worker using (worker_id)
order by claimed.place
