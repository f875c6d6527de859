-- Notes that the master of job ($1, $3), the $4th asked for, with digest $5 and size $6, was written to $2. If a later
-- job's was written there meanwhile, it may be gone.
update delivered_name as name
set
    contested_until =
        case when name.ordinal > $4 then now() + interval '10 minutes' else name.contested_until end,
    digest = case when name.ordinal > $4 then name.digest else $5 end,
    size_bytes = case when name.ordinal > $4 then name.size_bytes else $6 end,
    ordinal = greatest(name.ordinal, $4),
    writer_job_id = nullif(name.writer_job_id, $3),
    writer_ordinal = case when name.writer_job_id <> $3 then name.writer_ordinal end
where name.project_id = $1 and name.path = $2
