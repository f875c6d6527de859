-- Gives up to $1 masters that are stored but do not lie under the name that an active job asked for, the urgent ones
-- first, to the caller alone for $2 seconds.
with next as materialized (
    select deliverable.project_id, deliverable.job_id, deliverable.position
    from deliverable
    join job using (project_id, job_id)
    join artifact using (project_id, artifact_key)
    where not deliverable.delivered and deliverable.not_before <= now() and job.state = 'active'
    order by job.priority, job.ordinal, deliverable.position
    limit $1
    for update of deliverable skip locked
)
update deliverable
set not_before = now() + make_interval(secs => $2)
from next, job, artifact
where deliverable.project_id = next.project_id and deliverable.job_id = next.job_id
    and deliverable.position = next.position
    and job.project_id = deliverable.project_id and job.job_id = deliverable.job_id
    and artifact.project_id = deliverable.project_id and artifact.artifact_key = deliverable.artifact_key
returning
    deliverable.project_id, deliverable.job_id, deliverable.position, deliverable.file_name,
    job.deliver_to, job.replace, job.ordinal, artifact.digest, artifact.size_bytes,
    artifact.create_time >= job.create_time as fresh
