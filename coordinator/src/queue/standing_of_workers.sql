-- Where the workers $1 stand that are not simply to take tasks: their states, and why they are quarantined if they are.
select worker_id, state, quarantine_reason
from worker
where worker_id = any ($1) and (state <> 'active' or quarantine_reason is not null)
