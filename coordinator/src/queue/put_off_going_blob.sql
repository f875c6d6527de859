-- Puts blob $2 of project $1, which the store does not delete, behind all others that are going.
update blob set going_since = clock_timestamp() where project_id = $1 and digest = $2
