-- How many tasks of project $1 may run at once; null for any number.
select running_limit from project where project_id = $1
