//! What must never be found in the rows.

/// What its breach is called, and a query for the ids of what breaks it.
pub type Rule = (&'static str, &'static str);

/// Words that the rules use, put before each of them.
///
/// `since` are the attempts that count: those since a client had their task run again, of which the event carries the number of
/// the newest attempt before. `held` is what attempts took of their worker, and when; `moment` is when they took it and when
/// they gave it back, which of two at one time is the first.
pub const WORDS: &str = "with again as (
    select event.project_id, event.task_id, max(event.attempt) as attempt
    from event
    join task using (project_id, task_id)
    where event.message = task.display_name || ' is run again'
    group by event.project_id, event.task_id
),
since as (
    select attempt.*
    from attempt
    left join again using (project_id, task_id)
    where attempt.attempt > coalesce(again.attempt, 0)
),
held as (
    select
        attempt.project_id, attempt.worker_id, demand.limits, attempt.start_time, attempt.end_time,
        case when demand.whole_worker then worker.slots else demand.slots end as slots
    from attempt
    join task using (project_id, task_id)
    join demand using (project_id, demand_id)
    join worker on worker.worker_id = attempt.worker_id
),
moment as (
    select project_id, worker_id, limits, start_time as at, 1 as task, slots from held
    union all
    select project_id, worker_id, limits, end_time, -1, -slots from held where end_time is not null
) ";

/// In every snapshot, for whatever changes the queue is one transaction: while jobs run, and when everything has ended.
/// A lease that has run out stays with its attempt until somebody expires both.
pub const ALWAYS: [Rule; 22] = [
    (
        "a job did not end once for each time that it was run",
        "select job.job_id::text
         from job
         left join event
            on event.project_id = job.project_id and event.job_id = job.job_id and event.task_id is null
         group by job.project_id, job.job_id
         having count(*) filter (where event.job_state <> 'active')
            <> count(*) filter (where event.message like 'to be run again:%') + (job.state <> 'active')::int",
    ),
    (
        "a job is not as its newest event tells",
        "select job.job_id::text
         from job
         join event using (project_id, job_id)
         where event.sequence = job.last_sequence and event.job_state <> job.state",
    ),
    (
        "a job's work is not what its tasks add up to",
        "select job.job_id::text
         from job
         cross join lateral (
             select
                 coalesce(sum(task.cost), 0) as work,
                 coalesce(sum(task.cost) filter (where task.state = 'succeeded'), 0) as done,
                 count(*) filter (where task.state <> 'succeeded') as undone
             from job_task
             join task using (project_id, task_id)
             where job_task.project_id = job.project_id and job_task.job_id = job.job_id
         ) as sum
         where job.state in ('active', 'succeeded')
             and (job.work_cost, job.done_cost, job.undone_tasks) <> (sum.work, sum.done, sum.undone)",
    ),
    (
        "the events of a job have gaps",
        "select job.job_id::text
         from job
         left join event using (project_id, job_id)
         group by job.project_id, job.job_id
         having job.last_sequence <> count(event.sequence) or job.last_sequence <> coalesce(max(event.sequence), 0)",
    ),
    (
        "a succeeded job lacks a task or a delivery",
        "select job.job_id::text
         from job
         where job.state = 'succeeded' and (
            exists (
                select from job_task join task using (project_id, task_id)
                where job_task.job_id = job.job_id and task.state <> 'succeeded')
            or exists (select from deliverable where deliverable.job_id = job.job_id and not delivered))",
    ),
    (
        "a task is unfinished for which no active job waits",
        "select task.task_id::text
         from task
         where task.state in ('blocked', 'ready', 'running')
            and not exists (
                select from job_task join job using (project_id, job_id)
                where job_task.project_id = task.project_id and job_task.task_id = task.task_id
                    and job.state = 'active')",
    ),
    (
        "a ready task stands before the front, where no claim looks",
        "select task.task_id::text
         from task
         left join claim_front using (project_id, demand_id, priority)
         where task.state = 'ready'
            and (claim_front.front_time is null or claim_front.front_time > task.ready_time)",
    ),
    (
        "a succeeded task has not exactly one accepted attempt, its newest",
        "select task.task_id::text
         from task
         left join since
            on since.project_id = task.project_id and since.task_id = task.task_id and since.outcome = 'succeeded'
         where task.state = 'succeeded' and not task.cached
         group by task.project_id, task.task_id
         having count(since.attempt) <> 1 or max(since.attempt) <> task.attempt",
    ),
    (
        "an accepted attempt has no succeeded task",
        "select task.task_id::text
         from task
         join since using (project_id, task_id)
         where since.outcome = 'succeeded' and task.state <> 'succeeded'",
    ),
    (
        "the attempts of a task are not numbered from 1 to its newest",
        "select task.task_id::text
         from task
         left join attempt using (project_id, task_id)
         group by task.project_id, task.task_id
         having count(attempt.attempt) <> task.attempt or coalesce(max(attempt.attempt), 0) <> task.attempt",
    ),
    (
        "an attempt began before the one before it had ended",
        "select later.task_id::text
         from attempt as later
         join attempt as earlier
            on earlier.project_id = later.project_id and earlier.task_id = later.task_id
            and earlier.attempt = later.attempt - 1
         where earlier.end_time > later.start_time",
    ),
    (
        "a task's counts are not what its attempts add up to",
        "select task.task_id::text
         from task
         left join since using (project_id, task_id)
         group by task.project_id, task.task_id
         having task.losses <> count(*) filter (where outcome = 'worker_lost')
            or task.storage_failures <> count(*) filter (where outcome = 'failed' and since.failure_kind = 'storage')
            or task.failures <> count(*) filter (where outcome = 'failed' and since.failure_kind <> 'storage')
            -- All but the one at which it stopped.
            or task.memory_raises + (coalesce(task.failure_kind, '') = 'out_of_memory')::int
                <> count(*) filter (where outcome = 'failed' and since.failure_kind = 'out_of_memory')",
    ),
    (
        "a running attempt has no lease",
        "select task.task_id::text
         from task
         left join lease using (project_id, task_id, attempt)
         where task.state = 'running' and lease.task_id is null",
    ),
    (
        "a lease has no running attempt of its worker",
        "select lease.task_id::text
         from lease
         join task using (project_id, task_id)
         join attempt on attempt.project_id = lease.project_id and attempt.task_id = lease.task_id
            and attempt.attempt = lease.attempt
         where task.state <> 'running' or task.attempt <> lease.attempt or attempt.end_time is not null
            or attempt.worker_id <> lease.worker_id or task.worker_id <> lease.worker_id",
    ),
    (
        "an attempt is open whose task does not run",
        "select task.task_id::text
         from attempt
         join task using (project_id, task_id)
         where attempt.end_time is null and (task.state <> 'running' or task.attempt <> attempt.attempt)",
    ),
    (
        "a lease does not take what its task asks for",
        "select lease.task_id::text
         from lease
         join task using (project_id, task_id)
         join demand using (project_id, demand_id)
         join worker on worker.worker_id = lease.worker_id
         where lease.slots <> case when demand.whole_worker then worker.slots else demand.slots end
            or lease.memory_bytes <> demand.memory_bytes or lease.limits <> demand.limits",
    ),
    (
        "the counts of what runs are not what the leases add up to",
        "select last.counts::text
         from (select counts from usage order by version desc limit 1) as last
         where last.counts <> (
            select coalesce(jsonb_object_agg(name, summed.change), '{}')
            from (
                select name, sum(change) as change
                from (
                    select 'tasks/' || project_id as name, 1 as change from lease
                    union all
                    select 'slots/' || project_id, slots from lease
                    union all
                    select 'limit/' || held.name, 1 from lease cross join unnest(limits) as held (name)
                ) as single
                group by name
            ) as summed)",
    ),
    (
        "the leases of a worker take more memory than it has",
        "select worker.worker_id::text
         from worker
         join lease using (worker_id)
         group by worker.worker_id
         having sum(lease.memory_bytes) > worker.memory_bytes",
    ),
    (
        "a worker ran more at once than it has slots",
        "select distinct worker_id::text
         from (select worker_id, sum(slots) over (partition by worker_id order by at, task) as taken from moment) as load
         join worker using (worker_id)
         where load.taken > worker.slots",
    ),
    (
        "a project ran more tasks at once than its limit",
        "select distinct project_id
         from (select project_id, sum(task) over (partition by project_id order by at, task) as running from moment) as load
         join project using (project_id)
         where load.running > project.running_limit",
    ),
    (
        "more tasks held a named limit at once than there are of it",
        "select distinct name
         from (
            select name, sum(task) over (partition by name order by at, task) as holders
            from moment cross join unnest(limits) as limited (name)
         ) as load
         join named_limit using (name)
         where load.holders > named_limit.count",
    ),
    (
        "an artifact has no blob of its size",
        "select artifact_key
         from artifact
         left join blob using (project_id, digest)
         where blob.digest is null or blob.going_since is not null or blob.size_bytes <> artifact.size_bytes",
    ),
];

/// Once everything has ended.
pub const AT_THE_END: [Rule; 1] = [("a job has not ended", "select job_id::text from job where state = 'active'")];

/// The rows that an id speaks of, for people.
pub const ROWS: &str = "
    select 'job ' || to_jsonb(job.*)::text from job where job_id::text = $1
    union all
    select 'event ' || to_jsonb(event.*)::text from event where job_id::text = $1 and task_id is null
    union all
    select 'task ' || (to_jsonb(task.*) - 'spec' - 'revisions')::text from task where task_id::text = $1
    union all
    select 'attempt ' || to_jsonb(attempt.*)::text from attempt where task_id::text = $1
    union all
    select 'lease ' || to_jsonb(lease.*)::text from lease where task_id::text = $1
    union all
    select 'event ' || to_jsonb(event.*)::text from event where task_id::text = $1
    union all
    select 'lease ' || to_jsonb(lease.*)::text from lease where worker_id::text = $1";
