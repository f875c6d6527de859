-- How far a job is, in one place: events, lists and watchers must agree on it.

create function job_progress(of_project_id text, of_job_id uuid) returns double precision
language sql stable
return (
    select coalesce(
        sum(task.cost * case task.state
            when 'succeeded' then 1::double precision
            when 'running' then coalesce(lease.progress, 0)::double precision
            else 0::double precision
        end) / nullif(sum(task.cost), 0),
        -- Nothing costs anything: everything was there.
        1)
    from job_task
    join task on task.project_id = job_task.project_id and task.task_id = job_task.task_id
    left join lease on lease.project_id = task.project_id and lease.task_id = task.task_id
    where job_task.project_id = of_project_id and job_task.job_id = of_job_id
);
