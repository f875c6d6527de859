-- What a job's tasks cost and how many are left, kept with the job: to sum it over the tasks at every event would make each
-- dearer the more tasks a job has.

alter table job
    -- The cost of all tasks that it waits for, and of those of them that succeeded.
    add column work_cost bigint not null default 0,
    add column done_cost bigint not null default 0,
    -- Tasks that it waits for and that have not succeeded.
    add column undone_tasks int not null default 0
        constraint undone_tasks_are_not_negative check (undone_tasks >= 0),
    add constraint no_more_done_than_there_is check (done_cost between 0 and work_cost);

-- Where nothing costs anything, everything was there.
alter table job add column done_share double precision not null
    generated always as (case when work_cost = 0 then 1 else done_cost::double precision / work_cost end) stored;

-- Counts for jobs anew what events do not: tasks that it is linked to, that it no longer is, or that are put back.
create function count_work(of_project_id text, of_job_ids uuid[]) returns void
language sql
begin atomic
    update job
    set work_cost = counted.work_cost, done_cost = counted.done_cost, undone_tasks = counted.undone_tasks
    from unnest(of_job_ids) as of (job_id)
    cross join lateral (
        select
            coalesce(sum(task.cost), 0)::bigint as work_cost,
            coalesce(sum(task.cost) filter (where task.state = 'succeeded'), 0)::bigint as done_cost,
            count(*) filter (where task.state <> 'succeeded')::int as undone_tasks
        from job_task
        join task using (project_id, task_id)
        where job_task.project_id = of_project_id and job_task.job_id = of.job_id
    ) as counted
    where job.project_id = of_project_id and job.job_id = of.job_id;
end;

select count_work(project_id, array_agg(job_id)) from job group by project_id;

-- Events raise `last_sequence` and count work: within the page, as long as there is room.
alter table job set (fillfactor = 50);
