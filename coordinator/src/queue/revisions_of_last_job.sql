-- The revisions that the newest job of a session ($1, $2) was fixed to, archived or not.
select revisions
from (
    (
        select revisions, create_time, job_id from job
        where project_id = $1 and session_digest = $2
        order by create_time desc, job_id desc
        limit 1
    )
    union all
    (
        select revisions, create_time, job_id from archived_job
        where project_id = $1 and session_digest = $2
        order by create_time desc, job_id desc
        limit 1
    )
) as newest
order by create_time desc, job_id desc
limit 1
