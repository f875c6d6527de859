-- At most $5 jobs of project $1, newest first, in state $2 (null for any), older than ($3 microseconds, $4; null for the
-- first page). The page is chosen before its tasks are counted.
select job_overview.*
from (
    select project_id, job_id from job
    where project_id = $1
        and ($2::text is null or state = $2)
        and (
            $3::bigint is null
            or (create_time, job_id) < (timestamptz 'epoch' + make_interval(secs => $3 / 1000000.0), $4::uuid))
    order by create_time desc, job_id desc
    limit $5
) as page
join job_overview using (project_id, job_id)
order by job_overview.create_time desc, job_overview.job_id desc
