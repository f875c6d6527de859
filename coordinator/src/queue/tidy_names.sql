-- Forgets names whose last master is of a job that is archived, when no active job was asked for before it.
delete from delivered_name as name
where name.writer_job_id is null and name.contested_until is null
    and not exists (select from job where job.project_id = name.project_id and job.ordinal = name.ordinal)
    and not exists (
        select from job
        where job.project_id = name.project_id and job.state = 'active' and job.ordinal < name.ordinal)
