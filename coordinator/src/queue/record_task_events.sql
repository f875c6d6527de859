-- Records what has just happened to tasks ($1, $2, with $3 for people), once for every active job that waits for the
-- task. Sequences follow the order of $2 and are given under the job rows' locks, so that they become visible in order
-- and without gaps. Gives the jobs concerned.
with happened as (
    select
        job.project_id,
        job.job_id,
        told.task_id,
        told.message,
        row_number() over (partition by job.project_id, job.job_id order by told.place) as nth
    from unnest($1::text[], $2::uuid[], $3::text[]) with ordinality as told (project_id, task_id, message, place)
    join job_task on job_task.project_id = told.project_id and job_task.task_id = told.task_id
    join job on job.project_id = told.project_id and job.job_id = job_task.job_id and job.state = 'active'
),
counted as (
    select project_id, job_id, count(*) as events, job_progress(project_id, job_id) as progress
    from happened
    group by project_id, job_id
),
numbered as (
    update job
    set last_sequence = last_sequence + counted.events
    from counted
    where job.project_id = counted.project_id and job.job_id = counted.job_id
    returning job.project_id, job.job_id, job.last_sequence - counted.events as before, counted.progress
),
recorded as (
    insert into event
        (project_id, job_id, sequence, job_state, progress, task_id, task_state, attempt, message)
    select
        happened.project_id, happened.job_id, numbered.before + happened.nth, 'active', numbered.progress,
        task.task_id, task.state, task.attempt, happened.message
    from happened
    join numbered using (project_id, job_id)
    join task on task.project_id = happened.project_id and task.task_id = happened.task_id
)
select job_id from counted order by job_id
