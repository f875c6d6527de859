-- The first ready tasks of each project, demand and priority, oldest first, with what decides who runs them: enough of
-- each for $1 tasks in all.
select
    demand.project_id, demand.demand_id, front.priority,
    demand.slots, demand.whole_worker, demand.memory_bytes, demand.labels, demand.limits, demand.revisions,
    project.weight, project.running_limit,
    first.task_ids, first.ready_micros, first.document_bytes, first.near, first.asked_for
from claim_front as front
join demand using (project_id, demand_id)
join project using (project_id)
cross join lateral (
    with head as materialized (
        select task_id, job_id, ready_time, near_worker_id, greatest(16, 2 * $1 / fronts.count) as asked_for
        from task
        cross join (select count(*) from claim_front) as fronts
        where task.project_id = front.project_id and task.demand_id = front.demand_id
            and task.priority = front.priority and task.state = 'ready'
            and task.ready_time >= front.front_time and task.ready_time <= farm_now() and task.not_before <= farm_now()
        order by task.ready_time, task.task_id
        limit (select greatest(16, 2 * $1 / count(*)) from claim_front)
    ),
    -- Each job once: every event leaves a dead version of its row behind, to be walked over while a snapshot is held.
    document as (
        select job.job_id, session.document_bytes::bigint as bytes
        from (select distinct job_id from head) as planned
        join job on job.project_id = front.project_id and job.job_id = planned.job_id
        join session on session.project_id = job.project_id and session.session_digest = job.session_digest
    )
    select
        array_agg(task_id order by ready_time, task_id) as task_ids,
        array_agg((extract(epoch from ready_time) * 1000000)::bigint order by ready_time, task_id) as ready_micros,
        array_agg(document.bytes order by ready_time, task_id) as document_bytes,
        array_agg(near_worker_id order by ready_time, task_id) as near,
        max(asked_for) as asked_for
    from head
    join document using (job_id)
) as first
where first.task_ids is not null
