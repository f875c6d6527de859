-- The blobs that nothing refers to, input files only when unused for $1 seconds (null: never): how many, and their bytes.
select count(*), coalesce(sum(size_bytes), 0)::bigint from unreferenced_blob($1)
