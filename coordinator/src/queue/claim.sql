-- Leases up to $2 tasks, and no more than its free slots, to worker $1 for $4 seconds: task, attempt and lease in one
-- statement. Documents of all but the first task together take at most $5 bytes. Gives project, task and an event's text.
with asking as (
    select
        worker_id, name, revisions,
        least(
            $2::bigint,
            slots - (select count(*) from attempt where attempt.worker_id = $1 and attempt.end_time is null)) as tasks
    from worker
    where worker_id = $1 and state = 'active' and quarantine_reason is null
),
-- Of each project only the first tasks, by the claim index: the rest cannot be chosen.
supply as (
    select
        project.project_id, project.weight, first.task_id, first.priority, first.ready_time, first.place,
        (select count(*) from task where task.project_id = project.project_id and task.state = 'running') as running
    from asking
    cross join project
    cross join lateral (
        select
            task_id, priority, ready_time,
            row_number() over (order by priority, ready_time, task_id) as place
        from task
        where task.project_id = project.project_id and task.state = 'ready'
            and task.not_before <= now() and task.revisions <@ asking.revisions
        order by priority, ready_time, task_id
        limit $2
    ) as first
),
-- The n-th task handed to a project counts as if the n - 1 before it ran already.
ranked as (
    select
        project_id, task_id,
        row_number() over (
            order by (running + place)::double precision / weight, priority, ready_time, task_id) as rank
    from supply
),
weighed as (
    select
        ranked.project_id, ranked.task_id, ranked.rank,
        sum(session.document_bytes) over (order by ranked.rank) as bytes_up_to_here
    from ranked
    join task using (project_id, task_id)
    join job on job.project_id = task.project_id and job.job_id = task.job_id
    join session on session.project_id = job.project_id and session.session_digest = job.session_digest
),
chosen as (
    select task.project_id, task.task_id
    from task
    join weighed using (project_id, task_id)
    cross join asking
    where task.state = 'ready'
        and weighed.rank <= asking.tasks
        and (weighed.rank = 1 or weighed.bytes_up_to_here <= $5)
    for update of task skip locked
),
claimed as (
    update task
    set state = 'running', attempt = task.attempt + 1, worker_id = $1
    from chosen
    where task.project_id = chosen.project_id and task.task_id = chosen.task_id
    returning task.project_id, task.task_id, task.attempt, task.display_name
),
opened as (
    insert into attempt (project_id, task_id, attempt, worker_id, lease_request_id)
    select project_id, task_id, attempt, $1, $3 from claimed
),
leased as (
    insert into lease (project_id, task_id, attempt, worker_id, expire_time)
    select project_id, task_id, attempt, $1, now() + make_interval(secs => $4) from claimed
)
select claimed.project_id, claimed.task_id, claimed.display_name || ' runs on ' || asking.name
from claimed
cross join asking
order by claimed.task_id
