-- Lets job ($1, $3), the $4th asked for, write its master to $2, which replaces other bytes if $5. It is `superseded` if
-- a later job's lies there; it must `wait` while an earlier job may still write there, unless it replaces what that one
-- writes, and while a later one does.
with taken as (
    insert into delivered_name as name (project_id, path, writer_job_id, writer_ordinal)
    values ($1, $2, $3, $4)
    on conflict (project_id, path) do update
    set
        writer_job_id = excluded.writer_job_id,
        writer_ordinal = excluded.writer_ordinal,
        -- Whoever had the name has not said that it ended.
        contested_until = case
            when name.writer_job_id <> excluded.writer_job_id then now() + interval '10 minutes'
            else name.contested_until
        end
    where (excluded.writer_ordinal >= name.ordinal or not $5)
        and (
            name.writer_job_id is null
            or name.writer_job_id = excluded.writer_job_id
            or ($5 and excluded.writer_ordinal > name.writer_ordinal)
            or not exists (
                select from job
                where job.project_id = $1 and job.job_id = name.writer_job_id and job.state = 'active'))
    returning true
)
select case
    when exists (select from taken) then 'taken'
    when $5 and exists (
        select from delivered_name as name where name.project_id = $1 and name.path = $2 and name.ordinal > $4)
        then 'superseded'
    else 'wait'
end
