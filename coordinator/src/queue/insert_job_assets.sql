-- Notes which input files ($3) job ($1, $2) needs.
insert into job_asset (project_id, job_id, digest) select $1, $2, unnest($3::text[])
