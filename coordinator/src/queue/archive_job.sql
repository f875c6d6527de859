-- Writes down what may still be asked of job ($1, $2).
insert into archived_job (
    project_id, job_id, display_name, state, priority, session_digest, deliver_to, revisions, last_sequence,
    failure_kind, failure_message, progress, create_time, end_time, tasks, deliverables, attempts, events)
select
    job.project_id, job.job_id, job.display_name, job.state, job.priority, job.session_digest, job.deliver_to,
    job.revisions, job.last_sequence, job.failure_kind, job.failure_message,
    job_progress(job.project_id, job.job_id), job.create_time, job.end_time,
    (
        select coalesce(jsonb_agg(jsonb_build_object(
            'task_id', task.task_id, 'kind', task.kind, 'display_name', task.display_name, 'state', task.state,
            'attempt', task.attempt, 'cached', task.cached,
            'failure_kind', task.failure_kind, 'failure_message', task.failure_message,
            'worker_name', coalesce(worker.name, ''),
            'seconds', case when task.state = 'succeeded' and not task.cached
                then coalesce(extract(epoch from newest.end_time - newest.start_time), 0)::double precision else 0 end,
            'realtime_factor', case when task.state = 'succeeded' then coalesce(newest.realtime_factor, 0) else 0 end)
            order by job_task.position), '[]')
        from job_task
        join task using (project_id, task_id)
        left join worker on worker.worker_id = task.worker_id
        left join attempt as newest
            on newest.project_id = task.project_id and newest.task_id = task.task_id and newest.attempt = task.attempt
        where job_task.project_id = $1 and job_task.job_id = $2
    ),
    (
        select coalesce(jsonb_agg(jsonb_build_object(
            'file_name', deliverable.file_name, 'digest', coalesce(artifact.digest, ''),
            'size_bytes', coalesce(artifact.size_bytes, 0), 'report_json', coalesce(artifact.report, ''))
            order by deliverable.position), '[]')
        from deliverable
        left join artifact using (project_id, artifact_key)
        where deliverable.project_id = $1 and deliverable.job_id = $2
    ),
    $3,
    (
        select coalesce(jsonb_agg(jsonb_build_object(
            'sequence', sequence, 'create_micros', (extract(epoch from create_time) * 1000000)::bigint,
            'job_state', job_state, 'progress', progress, 'task_id', task_id, 'task_state', task_state,
            'attempt', attempt, 'message', message)
            order by sequence), '[]')
        from event
        where event.project_id = $1 and event.job_id = $2
    )
from job
where job.project_id = $1 and job.job_id = $2
