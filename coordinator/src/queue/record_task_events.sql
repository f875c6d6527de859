-- Records what has just happened to tasks ($1, $2, with $3 for people; $4 says whether it was their success), once for
-- every active job that waits for the task, and counts the work done. Sequences follow the order of $2 and are given
-- under the job rows' locks, so that they become visible in order and without gaps. Gives the jobs concerned, with
-- whether they have tasks left.
with counted as (
    select
        job.project_id, job.job_id,
        count(*) as events,
        coalesce(sum(task.cost) filter (where told.succeeded), 0)::bigint as done_cost,
        (count(*) filter (where told.succeeded))::int as done_tasks,
        array_agg(task.task_id order by told.place) as task_ids,
        array_agg(task.state order by told.place) as task_states,
        array_agg(task.attempt order by told.place) as attempts,
        array_agg(told.message order by told.place) as messages
    from unnest($1::text[], $2::uuid[], $3::text[], $4::boolean[]) with ordinality
        as told (project_id, task_id, message, succeeded, place)
    join job_task on job_task.project_id = told.project_id and job_task.task_id = told.task_id
    join job on job.project_id = told.project_id and job.job_id = job_task.job_id and job.state = 'active'
    join task on task.project_id = told.project_id and task.task_id = told.task_id
    group by job.project_id, job.job_id
),
numbered as (
    update job
    set
        last_sequence = last_sequence + counted.events,
        done_cost = job.done_cost + counted.done_cost,
        undone_tasks = job.undone_tasks - counted.done_tasks
    from counted
    where job.project_id = counted.project_id and job.job_id = counted.job_id
    returning
        job.project_id, job.job_id, job.last_sequence - counted.events as before, job.done_share, job.undone_tasks,
        counted.task_ids, counted.task_states, counted.attempts, counted.messages
),
recorded as (
    insert into event (project_id, job_id, sequence, job_state, progress, task_id, task_state, attempt, message)
    select
        project_id, job_id, before + happened.nth, 'active', done_share,
        happened.task_id, happened.task_state, happened.attempt, happened.message
    from numbered
    cross join lateral unnest(task_ids, task_states, attempts, messages) with ordinality
        as happened (task_id, task_state, attempt, message, nth)
)
select project_id, job_id, undone_tasks > 0 as waits from numbered order by project_id, job_id
