-- The revisions that the newest job of a session ($1, $2) was fixed to.
select revisions from job where project_id = $1 and session_digest = $2 order by create_time desc, job_id desc limit 1
