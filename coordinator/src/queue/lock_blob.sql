-- Locks blob $2 of project $1, if it is known.
select from blob where project_id = $1 and digest = $2 for update
