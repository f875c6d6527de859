-- What may be deleted, in one place: a dry run and the collection of garbage must agree on it.

-- Blobs of no artifact that nobody was told of lately. An input file stays while an active job needs it, and goes only when
-- nobody has asked for it for so many seconds; null keeps all of them.
create function unreferenced_blob(inputs_unused_seconds double precision) returns setof blob
language sql stable
begin atomic
    select blob.*
    from blob
    where blob.pinned_until < now()
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
