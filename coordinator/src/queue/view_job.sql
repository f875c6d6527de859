-- Job $2 of project $1.
select * from job_overview where project_id = $1 and job_id = $2
