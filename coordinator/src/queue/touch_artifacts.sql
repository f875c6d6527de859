-- Those of the artifacts $2 of project $1 that are stored; they count as used now.
update artifact set use_time = now() where project_id = $1 and artifact_key = any ($2) returning artifact_key
