-- Adds the deliverables of a job: names ($3) and artifacts ($4) in order.
insert into deliverable (project_id, job_id, position, file_name, artifact_key)
select $1, $2, place - 1, file_name, artifact_key
from unnest($3::text[], $4::text[]) with ordinality as asked (file_name, artifact_key, place)
