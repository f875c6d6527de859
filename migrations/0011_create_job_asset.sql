-- Which input files a job needs: what keeps them from being dropped while it may still read them, and what tells which
-- jobs fail when the store has lost one.

create table job_asset (
    project_id text not null,
    job_id uuid not null,
    digest text not null,
    primary key (project_id, job_id, digest),
    foreign key (project_id, job_id) references job
);

create index job_asset_of_blob on job_asset (project_id, digest);

-- Jobs from before this table: their documents name the files.
insert into job_asset (project_id, job_id, digest)
select distinct job.project_id, job.job_id, blob.digest
from job
join session using (project_id, session_digest)
join blob on blob.project_id = job.project_id and blob.uploaded
where job.state = 'active' and strpos(session.document, blob.digest) > 0;
