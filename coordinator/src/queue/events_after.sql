-- At most $4 events of a job ($1, $2) after sequence $3, in order. Those that a reader sees have no gap: the next
-- sequence is given only after the transaction that holds the last one has ended.
select
    sequence,
    (extract(epoch from create_time) * 1000000)::bigint as create_micros,
    job_state, progress, task_id, task_state, attempt, message
from event
where project_id = $1 and job_id = $2 and sequence > $3
order by sequence
limit $4
