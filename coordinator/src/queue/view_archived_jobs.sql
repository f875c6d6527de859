-- At most $5 archived jobs of project $1, newest first, in state $2 (null for any), older than ($3 microseconds, $4; null for
-- the first page).
select
    job_id, display_name, state, priority, session_digest, deliver_to, last_sequence, failure_kind, failure_message,
    (extract(epoch from create_time) * 1000000)::bigint as create_micros,
    (extract(epoch from end_time) * 1000000)::bigint as end_micros,
    progress, tasks, '[]'::jsonb as deliverables, '[]'::jsonb as attempts, '[]'::jsonb as events
from archived_job
where project_id = $1
    and ($2::text is null or state = $2)
    and (
        $3::bigint is null
        or (create_time, job_id) < (timestamptz 'epoch' + make_interval(secs => $3 / 1000000.0), $4::uuid))
order by create_time desc, job_id desc
limit $5
