-- A job with its progress and its tasks counted, in one place: what one job and a list of them show must agree.

create view job_overview as
select
    job.project_id, job.job_id, job.display_name, job.state, job.priority, job.session_digest, job.deliver_to,
    job.last_sequence, job.failure_kind, job.failure_message, job.create_time,
    (extract(epoch from job.create_time) * 1000000)::bigint as create_micros,
    (extract(epoch from job.end_time) * 1000000)::bigint as end_micros,
    job_progress(job.project_id, job.job_id) as progress,
    counted.*
from job
cross join lateral (
    select
        count(*) filter (where task.state in ('blocked', 'ready')) as waiting,
        count(*) filter (where task.state = 'running') as running,
        count(*) filter (where task.state = 'succeeded') as succeeded,
        count(*) filter (where task.state = 'failed') as failed,
        count(*) filter (where task.state = 'cancelled') as cancelled,
        count(*) filter (where task.cached) as cached
    from job_task
    join task using (project_id, task_id)
    where job_task.project_id = job.project_id and job_task.job_id = job.job_id
) as counted;
