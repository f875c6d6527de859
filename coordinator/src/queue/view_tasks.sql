-- The tasks of job ($1, $2) in plan order, all or those of $3, with what explains why they wait.
select
    task.task_id, task.kind, task.display_name, task.state, task.attempt, task.cached,
    task.failure_kind, task.failure_message, task.revisions,
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
    case when task.state = 'ready' then (
        select count(*) from task as ahead
        where ahead.project_id = task.project_id and ahead.state = 'ready'
            and (ahead.priority, ahead.ready_time, ahead.task_id) < (task.priority, task.ready_time, task.task_id)
    ) else 0 end as tasks_ahead,
    greatest(0, extract(epoch from task.not_before - now()))::double precision as seconds_to_wait,
    newest.failure_message as last_failure
from job_task
join task using (project_id, task_id)
left join worker on worker.worker_id = task.worker_id
left join lease on lease.project_id = task.project_id and lease.task_id = task.task_id
left join attempt as newest
    on newest.project_id = task.project_id and newest.task_id = task.task_id and newest.attempt = task.attempt
where job_task.project_id = $1 and job_task.job_id = $2 and ($3::uuid[] is null or task.task_id = any ($3))
order by job_task.position
