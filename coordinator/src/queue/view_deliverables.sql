-- The deliverables of job ($1, $2) in the session's order.
select
    deliverable.file_name,
    coalesce(artifact.digest, '') as digest,
    coalesce(artifact.size_bytes, 0) as size_bytes,
    coalesce(artifact.report, '') as report_json
from deliverable
left join artifact using (project_id, artifact_key)
where deliverable.project_id = $1 and deliverable.job_id = $2
order by deliverable.position
