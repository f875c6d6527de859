-- Notes that the deliverables of jobs ($1, $2) made of artifacts $3 lie under their names.
update deliverable
set delivered = true
from unnest($1::text[], $2::uuid[], $3::text[]) as made (project_id, job_id, artifact_key)
where deliverable.project_id = made.project_id and deliverable.job_id = made.job_id
    and deliverable.artifact_key = made.artifact_key
