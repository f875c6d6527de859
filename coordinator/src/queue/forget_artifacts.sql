-- Forgets the artifacts of project $1 whose bytes blob $2 held; gives their keys.
delete from artifact where project_id = $1 and digest = $2 returning artifact_key
