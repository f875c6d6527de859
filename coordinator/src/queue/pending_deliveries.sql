-- Masters that are stored but do not lie under the name that an active job ($1, or any) asked for.
select
    deliverable.project_id, deliverable.job_id, deliverable.position, deliverable.file_name,
    job.deliver_to, job.replace, artifact.digest, artifact.size_bytes
from deliverable
join job using (project_id, job_id)
join artifact using (project_id, artifact_key)
where not deliverable.delivered and job.state = 'active' and ($1::uuid is null or job.job_id = $1)
order by deliverable.project_id, deliverable.job_id, deliverable.position
limit 100
