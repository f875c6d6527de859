-- A blob is first marked as going, then its bytes are deleted, then its row: whoever is stopped on the way leaves a row that
-- promises nothing, and that the next collection finds.

-- Since when its bytes are being deleted; null while they are there. Whoever stores it anew takes the mark away.
alter table blob add column going_since timestamptz;

create index blob_going on blob (project_id, digest) where going_since is not null;

drop function unreferenced_blob;

-- As it was, without those that are marked already.
create function unreferenced_blob(inputs_unused_seconds double precision) returns setof blob
language sql stable
begin atomic
    select blob.*
    from blob
    where blob.pinned_until < now()
        and blob.going_since is null
        and (
            not blob.uploaded
            -- Whoever asked for it pinned it for a day.
            or blob.pinned_until < now() + interval '1 day' - make_interval(secs => inputs_unused_seconds))
        and not exists (
            select from artifact
            where artifact.project_id = blob.project_id and artifact.digest = blob.digest)
        and not exists (
            select from job_asset
            join job on job.project_id = job_asset.project_id and job.job_id = job_asset.job_id
            where job_asset.project_id = blob.project_id and job_asset.digest = blob.digest and job.state = 'active');
end;
