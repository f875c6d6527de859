-- Records an event ($3, one per job) that concerns jobs ($1, $2) as a whole. Gives the jobs concerned, with whether they
-- have tasks left.
with told as (
    select * from unnest($1::text[], $2::uuid[], $3::text[]) as told (project_id, job_id, message)
),
numbered as (
    update job
    set last_sequence = last_sequence + 1
    from told
    where job.project_id = told.project_id and job.job_id = told.job_id
    returning
        job.project_id, job.job_id, job.last_sequence, job.state, job.done_share, job.undone_tasks, told.message
),
recorded as (
    insert into event (project_id, job_id, sequence, job_state, progress, message)
    select project_id, job_id, last_sequence, state, done_share, message from numbered
)
select project_id, job_id, undone_tasks > 0 as waits from numbered order by project_id, job_id
