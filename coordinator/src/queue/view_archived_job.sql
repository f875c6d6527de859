-- Archived job $2 of project $1.
select
    job_id, display_name, state, priority, session_digest, deliver_to, last_sequence, failure_kind, failure_message,
    (extract(epoch from create_time) * 1000000)::bigint as create_micros,
    (extract(epoch from end_time) * 1000000)::bigint as end_micros,
    progress, tasks, deliverables, attempts, events
from archived_job
where project_id = $1 and job_id = $2
