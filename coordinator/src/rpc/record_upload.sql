-- Says that blob $2 of project $1 with $3 bytes is stored, uploaded by a client, and pins it for a day.
insert into blob (project_id, digest, size_bytes, uploaded, pinned_until)
values ($1, $2, $3, true, now() + interval '1 day')
on conflict (project_id, digest) do update set
    uploaded = true, pinned_until = excluded.pinned_until, going_since = null
